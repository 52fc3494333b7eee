"""The package in code of your own: a finished run as an object, torch's data sets."""
