"""The hnsw index: graph search."""
