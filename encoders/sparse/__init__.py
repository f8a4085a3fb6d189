"""Learned sparse vectors (SPLADE)."""
