"""The configuration of a collection."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from ..core import Config
from ..core.bounds import Bounds, Count
from ..core.kinds import OneOf
from ..encoders.passages.config import PassageConfig
from .dense.config import DenseLeg
from .inverted.config import LexicalLeg, SparseLeg
from .legs import LEG_NAME, LEGS, LegConfig


class StorageConfig(Config):
    """Limits at which the delta becomes a segment and segments are merged.

    The delta is the index of the most recently added passages. It is kept in memory. A segment is
    an index in files.
    """

    seal_passages: Count = 5_000
    """Number of passages at which the delta is sealed, that is, becomes a segment.

    If a leg has a vector for each token, the delta is sealed at a fifth of this number, because it
    keeps uncompressed vectors in memory."""
    max_segments: Annotated[int, Bounds(1, 1_000)] = 8
    """Maximum number of segments. If there are more, neighbouring segments are merged."""


class HistoryConfig(Config):
    """How long superseded versions of documents are kept."""

    days: Annotated[int, Bounds(1, 36_500)] = 30
    """Days for which a replaced or deleted version can be read and searched."""


def _default_legs() -> dict[str, LegConfig]:
    return {"dense": DenseLeg(), "sparse": SparseLeg(), "lexical": LexicalLeg()}


class CollectionConfig(Config):
    """The configuration of a collection, which is stored when the collection is created."""

    legs: dict[Annotated[str, Field(pattern=LEG_NAME)], Annotated[LegConfig, OneOf(LEGS)]] = Field(
        default_factory=_default_legs, min_length=1
    )
    """Name of a leg -> its configuration. By default: a dense, a learned sparse and a lexical
    leg."""
    passages: PassageConfig = PassageConfig()
    storage: StorageConfig = StorageConfig()
    history: HistoryConfig | None = None
    """Keep superseded versions of documents. None: a replaced or deleted version is gone. Can be
    changed later."""

    @property
    def sealed_at(self) -> int:
        """Number of passages at which the delta (index in memory) is sealed as a segment.

        See StorageConfig.seal_passages.
        """
        per_token = any(leg.encoder.per_token for leg in self.legs.values())
        return max(1, self.storage.seal_passages // (5 if per_token else 1))

    def check_installed(self) -> None:
        """Raise MissingExtraError if a library that the index of a leg needs is not installed."""
        for leg in self.legs.values():
            leg.check_installed()

    @model_validator(mode="after")
    def _searchable(self) -> Self:
        if all(leg.role == "rerank" for leg in self.legs.values()):
            raise ValueError(
                'legs: all have the role "rerank"; at least one must have the role "search"'
            )
        return self
