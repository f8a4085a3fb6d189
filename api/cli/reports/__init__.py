"""Reports of `twindex eval`."""
