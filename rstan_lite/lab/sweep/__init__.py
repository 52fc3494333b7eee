"""Many runs on many cores or machines: jobs over a Dask cluster, each in a process of its own."""
