"""A sparse leg with several vectors per passage, in one segment and in the delta."""

from __future__ import annotations

from ..multi import MultiDelta, MultiSegment
from .sparse import SparseSegment
from .sparse_delta import SparseDelta


class MultiSparseSegment(MultiSegment):
    """A SegmentPart with several sparse vectors per passage. Searches by exact MaxSim."""

    single = SparseSegment


class MultiSparseDelta(MultiDelta):
    """A DeltaPart with several sparse vectors per passage, for passages not in a segment yet."""

    single = SparseDelta
