"""Dense legs. They rank by inner product: exactly, or with an index in memory or on disk."""
