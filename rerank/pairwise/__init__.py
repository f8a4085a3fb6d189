"""Pairwise Ranking Prompting: a language model says which of two passages is more relevant."""
