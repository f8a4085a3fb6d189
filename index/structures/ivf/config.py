"""Configuration of the ivf index."""

from __future__ import annotations

from typing import Literal

from ....core.bounds import Effort
from ...codecs.config import FAISS_BITS, CodecConfig, PqCodec, RabitqCodec
from ..protocol import STRUCTURES
from ..recall import ApproximateConfig


@STRUCTURES.register
class IvfConfig(ApproximateConfig):
    """Inverted lists around k-means centres (Sivic and Zisserman 2003), with FAISS."""

    made_by = ".ivf:IvfLists"
    usual_codec = PqCodec()

    kind: Literal["ivf"] = "ivf"
    lists: Effort | None = None
    """Number of lists in a segment; None: 4 times the square root of its number of passages."""
    replicas: Literal[1, 2] | None = None
    """Number of lists that store each vector. 2 requires the codec pq with 4 bits; None: 2 for this
    codec, else 1."""
    nprobe: Effort | None = None
    """Number of lists to search, instead of `recall`; None: calibrated."""

    @classmethod
    def supports_codec(cls, codec: type[CodecConfig], kind: str) -> bool:
        """See IndexConfig. Supports the codecs that FAISS implements."""
        return kind in FAISS_BITS or issubclass(codec, PqCodec | RabitqCodec)

    def check(self, codec: CodecConfig | None) -> None:
        """Raise ValueError for options that conflict with the codec. See `IndexConfig.check`."""
        if self.replicas == 2 and not _small(codec):
            raise ValueError(
                "`index.replicas` is 2, but it must be 1 for all codecs except pq with 4 bits"
            )

    def lists_of_each(self, codec: CodecConfig | None) -> int:
        """Return the number of lists that store each vector, 1 or 2."""
        if not _small(codec):
            return 1
        return 2 if self.replicas is None else self.replicas


def _small(codec: CodecConfig | None) -> bool:
    return isinstance(codec, PqCodec) and codec.bits == 4
