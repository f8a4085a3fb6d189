"""Parts of a sparse leg with several vectors per passage."""

from __future__ import annotations

from ..multi import MultiDelta, MultiSegment
from .sparse import SparseSegment
from .sparse_delta import SparseDelta


class MultiSparseSegment(MultiSegment):
    """A segment part with several vectors per passage. Searches by exact MaxSim."""

    single = SparseSegment


class MultiSparseDelta(MultiDelta):
    """Passages with several vectors each, written since the last seal."""

    single = SparseDelta
