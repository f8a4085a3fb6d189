"""The base class of leg configurations, and the registry of leg kinds."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import model_validator

from ..core import Config
from ..core.kinds import Kinds, named
from ..encoders.config import EncoderConfig
from .protocol import DeltaPart, SegmentPart

LEG_NAME = r"^[a-z][a-z0-9_]{0,31}$"

LegRole = Literal["search", "rerank"]
"""Purpose of a leg.

"search": the leg runs in every search that names no legs. "rerank": the leg runs only if a request
names it; rerankers use its scores."""


class LegConfig(Config):
    """A leg of a collection: an encoder, and an index of the vectors or terms that it returns.

    A leg is stored in parts: one part in each segment (index files), and one in the delta (the
    index in memory of recent passages).

    segments: names of two classes for the parts in segments, as "module:name". The first class is
        for encoders that return one vector, or terms, for a text. The second is for encoders that
        return several vectors. ".module:name" is relative to the module of the configuration class.
    deltas: names of two classes for the part in the delta, in the same form and order.
    """

    segments: ClassVar[tuple[str, str]]
    deltas: ClassVar[tuple[str, str]]

    kind: str
    role: LegRole = "search"
    """"search": the leg runs in every search that names no legs. "rerank": it is stored for
    rerankers that use its scores, and runs only if a request names it."""
    encoder: EncoderConfig

    @property
    def multi(self) -> bool:
        """True if the encoder may return several vectors for a text."""
        return self.encoder.many

    def segment_part(self) -> type[SegmentPart]:
        """Return the class of this leg's part in a segment. The first call imports its module."""
        part: type[SegmentPart] = named(self.segments[self.multi], type(self))
        return part

    def delta_part(self) -> type[DeltaPart]:
        """Return the class of this leg's part in the delta, the index in memory."""
        part: type[DeltaPart] = named(self.deltas[self.multi], type(self))
        return part

    def building_bytes(self, rows: int, width: int) -> int:
        """Return the memory, in bytes, that a merge needs to build this leg's index.

        rows:  number of vectors in the merged index.
        width: number of dimensions of a vector.

        Returns 0 for an index that is merged as a stream, with little memory.
        """
        return 0

    def check_installed(self) -> None:
        """Raise MissingExtraError if a library that the index needs is not installed."""

    def check_stored(self) -> None:
        """Raise ConfigError if searches no longer support this stored configuration."""

    def warm(self) -> None:
        """Compile the search code of this leg, so that the first search does not wait."""

    @model_validator(mode="after")
    def _encoder_fits(self) -> Self:
        part = "terms" if self.kind == "lexical" else self.kind
        if part in ("dense", "sparse", "terms") and part not in self.encoder.fills:
            raise ValueError(
                f"encoder: a {self.kind} leg requires an encoder with {part} output; this encoder "
                f"returns {' and '.join(sorted(self.encoder.fills))} output"
            )
        return self


LEGS = Kinds(LegConfig, "leg")
