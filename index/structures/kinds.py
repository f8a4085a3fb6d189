"""Which structure a configuration means."""

from __future__ import annotations

from ...core import FlatConfig, HnswConfig, IvfConfig, ScannConfig, SpannConfig, VectorStorage
from .protocol import Structure

CODED_FROM = 1_000
"""Fewer vectors are neither coded nor projected: there is nothing to fit on and little to gain."""


def plain(storage: VectorStorage, rows: int) -> bool:
    """So many vectors are kept as they are and searched exactly, without a structure."""
    if not isinstance(storage.index, FlatConfig):
        return rows < storage.index.flat_below
    if rows < CODED_FROM:
        return True
    codec = storage.held_codec
    same = codec.kind == "float32" or codec.kind == storage.kept
    return storage.projection is None and same


def structure_kind(storage: VectorStorage) -> type[Structure]:
    """The class, for what is not plain. Imports only what it needs."""
    match storage.index:
        case HnswConfig():
            from .graph import HnswGraph

            return HnswGraph
        case IvfConfig():
            from .ivf import IvfLists

            return IvfLists
        case ScannConfig():
            from .scann import ScannTree

            return ScannTree
        case SpannConfig():
            from .spann.structure import SpannIndex

            return SpannIndex
        case FlatConfig():
            if storage.held_codec.kind in ("pq", "rabitq"):
                from .coded import FaissFlat

                return FaissFlat
            from .coded import CodedFlat

            return CodedFlat


def building_bytes(rows: int, width: int, storage: VectorStorage) -> int:
    """Memory that a build of so many vectors must hold, however little it is given."""
    if plain(storage, rows):
        return 0
    return structure_kind(storage).building_bytes(rows, width, storage)
