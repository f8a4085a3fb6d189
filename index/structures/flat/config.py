"""Configuration of the flat index."""

from __future__ import annotations

from typing import Literal

from ....core.kinds import named
from ...codecs.config import CodecConfig
from ..protocol import CODED_FROM, STRUCTURES, IndexConfig, Structure, VectorStorage


@STRUCTURES.register
class FlatConfig(IndexConfig):
    """Compares a query with every vector. Results are exact, except for the loss of the codec."""

    made_by = ".coded:CodedFlat"
    search_fields = ()

    kind: Literal["flat"] = "flat"

    @classmethod
    def supports_codec(cls, codec: type[CodecConfig], kind: str) -> bool:
        """See IndexConfig. Supports every codec."""
        return True

    def searches_exactly(self, storage: VectorStorage, rows: int) -> bool:
        """Return True if a segment of `rows` vectors is searched exactly, without a structure.

        See `IndexConfig.searches_exactly`.
        """
        if rows < CODED_FROM:
            return True
        codec = storage.held_codec
        same = codec.kind == "float32" or codec.kind == storage.kept
        return storage.projection is None and same

    def structure(self, codec: CodecConfig | None) -> type[Structure]:
        """See IndexConfig. Codecs that FAISS implements use FaissFlat."""
        if codec is not None and not codec.own:
            found: type[Structure] = named(".coded:FaissFlat", type(self))
            return found
        return super().structure(codec)
