"""How far a search in a vector index looks."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import model_validator

from ...core import Config
from ...core.bounds import Bounds, Effort, PositiveShare

DEFAULT_RECALL = 0.98
"""Share of the true nearest neighbours that an approximate index must find, if nothing is said."""

Recall = PositiveShare


class VectorSearch(Config):
    """How far an approximate index looks: by recall, or by its own parameters."""

    recall: Recall | None = None
    """Share of the true nearest to be found, as calibrated; 1 = exact."""
    nprobe: Effort | None = None
    """Lists looked at (ivf, scann, spann)."""
    ef: Effort | None = None
    """Length of the list of candidates (hnsw)."""
    oversample: Annotated[int, Bounds(0, 1_000)] | None = None
    """Candidates rescored from the originals for each result; 0 = none, the scores are then those
    of the codec."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.recall is not None and self.parameters:
            raise ValueError("recall and the parameters both say how far to look: give one")
        return self

    @property
    def parameters(self) -> dict[str, int]:
        """Those given."""
        given = {"nprobe": self.nprobe, "ef": self.ef, "oversample": self.oversample}
        return {name: value for name, value in given.items() if value is not None}
