"""Legs of dense vectors that rank by inner product: exact, in memory, on disk."""
