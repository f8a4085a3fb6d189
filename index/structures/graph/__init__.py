"""The hnsw index: a graph that links each vector to near vectors."""
