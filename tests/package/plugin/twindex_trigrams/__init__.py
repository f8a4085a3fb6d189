"""A package that adds an encoder, a vector index and a reranker to Twindex."""
