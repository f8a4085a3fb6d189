"""Inverted lists around centres, configured."""

from __future__ import annotations

from typing import Literal

from ....core.bounds import Effort
from ...codecs.config import FAISS_BITS, CodecConfig, PqCodec, RabitqCodec
from ..protocol import STRUCTURES
from ..recall import ApproximateConfig


@STRUCTURES.register
class IvfConfig(ApproximateConfig):
    """Inverted lists around k-means centres (Sivic and Zisserman 2003) through FAISS."""

    made_by = ".ivf:IvfLists"
    usual_codec = PqCodec()

    kind: Literal["ivf"] = "ivf"
    lists: Effort | None = None
    """Number of lists; None = grows with the square root of the passages in a segment."""
    replicas: Literal[1, 2] | None = None
    """Lists that a vector is in; None = 2 for codec pq of 4 bits, whose codes are small, else 1,
    which other codecs must have."""
    nprobe: Effort | None = None
    """Lists looked at, instead of a recall; None = as calibrated."""

    @classmethod
    def holds(cls, codec: type[CodecConfig], kind: str) -> bool:
        """See IndexConfig: what FAISS has."""
        return kind in FAISS_BITS or issubclass(codec, PqCodec | RabitqCodec)

    def check(self, codec: CodecConfig | None) -> None:
        """See IndexConfig."""
        if self.replicas == 2 and not _small(codec):
            raise ValueError("index.replicas: only with codec pq of 4 bits can it be 2")

    def lists_of_each(self, codec: CodecConfig | None) -> int:
        """Lists that a vector is in."""
        if not _small(codec):
            return 1
        return 2 if self.replicas is None else self.replicas


def _small(codec: CodecConfig | None) -> bool:
    return isinstance(codec, PqCodec) and codec.bits == 4
