"""Dense vectors from a sentence-transformers bi-encoder."""
