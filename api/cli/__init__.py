"""The command line `twindex`."""
