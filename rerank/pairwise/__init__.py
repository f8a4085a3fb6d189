"""Pairwise Ranking Prompting: a language model compares passages in pairs."""
