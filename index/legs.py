"""The base class of leg configurations, and the registry of leg kinds."""

from __future__ import annotations

from typing import ClassVar, Literal

from ..core import Config
from ..core.kinds import Kinds, named
from ..encoders.config import EncoderConfig
from .protocol import DeltaPart, SegmentPart

LEG_NAME = r"^[a-z][a-z0-9_]{0,31}$"

LegRole = Literal["search", "rerank"]
"""Purpose of a leg.

"search": it runs in every search that names no legs. "rerank": its scores are for rerankers, and it
runs only if a request names it."""


class LegConfig(Config):
    """A leg of a collection: an encoder, and an index of its output.

    segments: two classes of parts in segments, as "module:name". The first one is for texts with
        one vector or with terms, the second one for texts with several vectors. ".module:name" is
        relative to the module of the configuration.
    deltas: the two classes of parts in the delta, in the same form.
    """

    segments: ClassVar[tuple[str, str]]
    deltas: ClassVar[tuple[str, str]]

    kind: str
    role: LegRole = "search"
    """"search": runs in every search. "rerank": stored for rerankers that use its scores."""
    encoder: EncoderConfig

    @property
    def multi(self) -> bool:
        """True if a text may have several vectors."""
        return self.encoder.many

    def segment_part(self) -> type[SegmentPart]:
        """Return the class of this leg's part in a segment. Import only its module."""
        part: type[SegmentPart] = named(self.segments[self.multi], type(self))
        return part

    def delta_part(self) -> type[DeltaPart]:
        """Return the class of this leg's part in the delta."""
        part: type[DeltaPart] = named(self.deltas[self.multi], type(self))
        return part

    def building_bytes(self, rows: int, width: int) -> int:
        """Return the memory, in bytes, that a merge needs to build this leg's index.

        rows: vectors in the merged index. width: dimensions of a vector. The result is 0 for legs
        that are merged as streams.
        """
        return 0

    def check_installed(self) -> None:
        """Raise MissingExtraError if a library that the index needs is not installed."""

    def check_stored(self) -> None:
        """Raise ConfigError for a stored configuration that searches no longer support."""

    def warm(self) -> None:
        """Compile the search code of this leg, so that the first search does not wait."""


LEGS = Kinds(LegConfig, "leg")
