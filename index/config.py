"""What decides what is in a collection."""

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
    """When the delta becomes a segment and when segments are merged."""

    seal_passages: Count = 5_000
    """The delta is sealed when it holds this many passages; a fifth of them where a leg has a
    vector for each token, as the delta is held in memory and not yet coded."""
    max_segments: Annotated[int, Bounds(1, 1_000)] = 8
    """Neighbouring segments are merged when there are more than this."""


def _default_legs() -> dict[str, LegConfig]:
    return {"dense": DenseLeg(), "sparse": SparseLeg(), "lexical": LexicalLeg()}


class CollectionConfig(Config):
    """Everything that decides what is in a collection. Stored in it when it is created."""

    legs: dict[Annotated[str, Field(pattern=LEG_NAME)], Annotated[LegConfig, OneOf(LEGS)]] = Field(
        default_factory=_default_legs, min_length=1
    )
    passages: PassageConfig = PassageConfig()
    storage: StorageConfig = StorageConfig()

    @property
    def sealed_at(self) -> int:
        """Passages at which the delta is sealed; see StorageConfig."""
        late = any(leg.encoder.per_token for leg in self.legs.values())
        return max(1, self.storage.seal_passages // (5 if late else 1))

    def check_installed(self) -> None:
        """Raise MissingExtraError for an index whose library is not here."""
        for leg in self.legs.values():
            leg.check_installed()

    @model_validator(mode="after")
    def _searchable(self) -> Self:
        if all(leg.role == "rerank" for leg in self.legs.values()):
            raise ValueError('legs: at least one must have role "search": the others only rerank')
        return self
