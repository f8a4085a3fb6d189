"""Indexes of dense vectors that rank by inner product: exact, and by a graph."""

from .delta import DenseDelta
from .flat import FlatSegment
from .hnsw import HnswSegment
from .multi import MultiDenseDelta, MultiDenseSegment

__all__ = ["DenseDelta", "FlatSegment", "HnswSegment", "MultiDenseDelta", "MultiDenseSegment"]
