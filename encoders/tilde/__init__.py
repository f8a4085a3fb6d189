"""Weights of a text's own tokens (TILDEv2)."""
