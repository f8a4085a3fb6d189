"""A package that adds an encoder, a vector index, a reranker and a rewriter to Twindex."""
