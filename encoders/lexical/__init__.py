"""Words of a text, for BM25."""
