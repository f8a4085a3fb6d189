"""Listwise reranking: a language model orders windows (groups of neighbouring passages)."""
