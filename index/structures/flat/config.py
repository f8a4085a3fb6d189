"""Every vector is compared."""

from __future__ import annotations

from typing import Literal

from ....core.kinds import named
from ...codecs.config import CodecConfig
from ..protocol import CODED_FROM, STRUCTURES, IndexConfig, Structure, VectorStorage


@STRUCTURES.register
class FlatConfig(IndexConfig):
    """Every vector is compared: exact, as far as the codec is."""

    made_by = ".coded:CodedFlat"
    looking = ()

    kind: Literal["flat"] = "flat"

    @classmethod
    def holds(cls, codec: type[CodecConfig], kind: str) -> bool:
        """See IndexConfig: any."""
        return True

    def plain(self, storage: VectorStorage, rows: int) -> bool:
        """See IndexConfig."""
        if rows < CODED_FROM:
            return True
        codec = storage.held_codec
        same = codec.kind == "float32" or codec.kind == storage.kept
        return storage.projection is None and same

    def structure(self, codec: CodecConfig | None) -> type[Structure]:
        """See IndexConfig. Codes that are not ours lie in one list of FAISS."""
        if codec is not None and not codec.own:
            found: type[Structure] = named(".coded:FaissFlat", type(self))
            return found
        return super().structure(codec)
