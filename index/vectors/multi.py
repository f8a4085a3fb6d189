"""The parts of a dense leg in which a passage has several vectors."""

from __future__ import annotations

from ..multi import MultiDelta, MultiSegment
from .delta import DenseDelta
from .flat import FlatSegment


class MultiDenseSegment(MultiSegment):
    """Exact MaxSim."""

    single = FlatSegment


class MultiDenseDelta(MultiDelta):
    """Passages that came in since the last seal."""

    single = DenseDelta
