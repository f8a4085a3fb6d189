"""REBEL reranking: a language model scores hits by relevance and other criteria."""
