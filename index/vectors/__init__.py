"""Indexes of dense vectors that rank by inner product: exact, in memory, on disk."""

from .delta import DenseDelta
from .flat import FlatSegment
from .kinds import building_bytes
from .multi import MultiDenseDelta, MultiDenseSegment
from .segment import VectorSegment

__all__ = [
    "DenseDelta",
    "FlatSegment",
    "MultiDenseDelta",
    "MultiDenseSegment",
    "VectorSegment",
    "building_bytes",
]
