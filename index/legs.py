"""Which parts a leg of a collection is made of."""

from __future__ import annotations

from importlib.util import find_spec

from ..core import CollectionConfig, DenseLeg, LegConfig, LexicalLeg, MissingExtraError, SparseLeg
from .protocol import DeltaPart, SegmentPart


def segment_part(config: LegConfig) -> type[SegmentPart]:
    """The class of a leg's part in a segment. Imports what that kind needs, and no other."""
    match config:
        case DenseLeg(multi=True):
            from .dense import MultiDenseSegment

            return MultiDenseSegment
        case DenseLeg():
            from .dense import VectorSegment

            return VectorSegment
        case SparseLeg(multi=True):
            from .inverted import MultiSparseSegment

            return MultiSparseSegment
        case SparseLeg():
            from .inverted import SparseSegment

            return SparseSegment
        case LexicalLeg():
            from .inverted import LexicalSegment

            return LexicalSegment


def building_bytes(config: LegConfig, rows: int, width: int) -> int:
    """Memory that a merge to so many vectors must hold, however little it is given; 0 for legs that
    are merged as streams."""
    if not isinstance(config, DenseLeg) or config.multi:
        return 0
    from .dense import building_bytes as held

    return held(rows, width, config)


def check_installed(config: CollectionConfig) -> None:
    """Raise MissingExtraError for an index whose library is not here: before anything is made."""
    for leg in config.legs.values():
        if isinstance(leg, DenseLeg) and leg.index.kind == "scann" and find_spec("scann") is None:
            raise MissingExtraError("scann", "scann")


def delta_part(config: LegConfig) -> type[DeltaPart]:
    """The class of a leg's part in the delta."""
    match config:
        case DenseLeg(multi=True):
            from .dense import MultiDenseDelta

            return MultiDenseDelta
        case DenseLeg():
            from .dense import DenseDelta

            return DenseDelta
        case SparseLeg(multi=True):
            from .inverted import MultiSparseDelta

            return MultiSparseDelta
        case SparseLeg():
            from .inverted import SparseDelta

            return SparseDelta
        case LexicalLeg():
            from .inverted import LexicalDelta

            return LexicalDelta


def warm(config: LegConfig) -> None:
    """Have the code of a leg compiled before the first search needs it."""
    match config:
        case SparseLeg() | LexicalLeg():
            from .inverted import warm as warm_kernels

            warm_kernels()
        case DenseLeg():
            from .codecs.warm import warm as warm_codecs

            warm_codecs()
