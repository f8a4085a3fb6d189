"""Indexes of dense vectors that rank by inner product: exact, in memory, on disk."""

from ..structures.kinds import building_bytes
from .delta import DenseDelta
from .multi import MultiDenseDelta, MultiDenseSegment
from .segment import VectorSegment
from .tokens import TokenSegment

__all__ = [
    "DenseDelta",
    "MultiDenseDelta",
    "MultiDenseSegment",
    "TokenSegment",
    "VectorSegment",
    "building_bytes",
]
