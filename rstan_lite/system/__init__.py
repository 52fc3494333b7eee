"""The machine: files, reading, interruption, devices, and what is installed."""
