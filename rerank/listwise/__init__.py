"""Listwise reranking: a language model orders windows of passages."""
