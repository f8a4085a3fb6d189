"""Serve with several worker processes: the process that supervises them, and a worker."""
