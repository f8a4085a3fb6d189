"""The parts of a learned-sparse leg in which a passage has several vectors."""

from __future__ import annotations

from ..multi import MultiDelta, MultiSegment
from .sparse import SparseSegment
from .sparse_delta import SparseDelta


class MultiSparseSegment(MultiSegment):
    """Exact MaxSim over posting lists whose rows are vectors."""

    single = SparseSegment


class MultiSparseDelta(MultiDelta):
    """Passages that came in since the last seal."""

    single = SparseDelta
