"""What the configuration of every leg has, and the kinds of leg that there are."""

from __future__ import annotations

from typing import ClassVar, Literal

from ..core import Config
from ..core.kinds import Kinds, named
from ..encoders.config import EncoderConfig
from .protocol import DeltaPart, SegmentPart

LEG_NAME = r"^[a-z][a-z0-9_]{0,31}$"

LegRole = Literal["search", "rerank"]
"""What a leg is for: "search" runs in every search that names no legs; "rerank" is stored for
rerankers that order by its scores, and runs only where it is named."""


class LegConfig(Config):
    """A way to rank: an encoder, and how what it gives is indexed.

    segments, deltas: the classes of its parts in segments and in the delta, as "module:name", where
        ".module:name" is beside the configuration. The first is for texts with one vector or
        with terms, the second for texts with several vectors.
    """

    segments: ClassVar[tuple[str, str]]
    deltas: ClassVar[tuple[str, str]]

    kind: str
    role: LegRole = "search"
    """"search": runs in every search; "rerank": stored for rerankers that order by its scores."""
    encoder: EncoderConfig

    @property
    def multi(self) -> bool:
        """A text may have several vectors."""
        return self.encoder.many

    def segment_part(self) -> type[SegmentPart]:
        """The class of its part in a segment. Imports what that needs, and no other."""
        part: type[SegmentPart] = named(self.segments[self.multi], type(self))
        return part

    def delta_part(self) -> type[DeltaPart]:
        """The class of its part in the delta."""
        part: type[DeltaPart] = named(self.deltas[self.multi], type(self))
        return part

    def building_bytes(self, rows: int, width: int) -> int:
        """Memory that a merge to so many vectors must hold, however little it is given; 0 for legs
        that are merged as streams."""
        return 0

    def check_installed(self) -> None:
        """Raise MissingExtraError for an index whose library is not here: before anything is
        made."""

    def check_stored(self) -> None:
        """Raise ConfigError for what was stored earlier and no search can use now."""

    def warm(self) -> None:
        """Have its code compiled before the first search needs it."""


LEGS = Kinds(LegConfig, "leg")
