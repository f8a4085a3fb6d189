"""Search parameters of approximate vector indexes."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import model_validator

from ...core import Config
from ...core.bounds import Bounds, Effort, PositiveShare

DEFAULT_RECALL = 0.98
"""Default recall target: the share of the true nearest neighbours that a search must find."""

Recall = PositiveShare


class VectorSearch(Config):
    """Search parameters of a vector index: a recall target, or numbers that set the effort."""

    recall: Recall | None = None
    """Recall target: share of the true nearest neighbours to find. 1: exact search."""
    nprobe: Effort | None = None
    """Number of lists to search (ivf, scann, spann)."""
    ef: Effort | None = None
    """Length of the candidate list (hnsw)."""
    oversample: Annotated[int, Bounds(0, 1_000)] | None = None
    """Number of candidates for each result that are rescored with the original vectors. 0: no
    rescoring; results keep the scores of the codec."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.recall is not None and self.parameters:
            given = " and ".join(f"`{name}`" for name in self.parameters)
            raise ValueError(f"`recall` conflicts with {given}: give one or the other")
        return self

    @property
    def parameters(self) -> dict[str, int]:
        """The parameters that are not None, by name, without `recall`."""
        given = {"nprobe": self.nprobe, "ef": self.ef, "oversample": self.oversample}
        return {name: value for name, value in given.items() if value is not None}
