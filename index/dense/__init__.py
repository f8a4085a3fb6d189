"""Dense legs. They rank by the inner product of vectors: exactly or with an approximate index."""
