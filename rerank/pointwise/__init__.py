"""Pointwise reranking: a language model judges each passage independently."""
