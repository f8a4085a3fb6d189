"""Inverted lists of vectors on disk whose heads are in memory (SPANN)."""
