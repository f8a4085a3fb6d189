"""Pseudo-relevance feedback: queries expanded with the terms or vectors of the best passages.

The functions are pure. `search.finding.feedback` runs them in a search.
"""

from .terms import bo1, kl, rm3, rocchio
from .vectors import moved

__all__ = ["bo1", "kl", "moved", "rm3", "rocchio"]
