"""The intra-document cascade: a costly reranker reads only the best windows of a long document."""
