"""Arrays and files on disk, and vectors that are read piece by piece."""
