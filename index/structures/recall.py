"""Base class of the configurations of approximate indexes."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import model_validator

from ...core.bounds import Rows
from .protocol import IndexConfig
from .vector_search import Recall


class ApproximateConfig(IndexConfig):
    """Base class of configurations of approximate indexes.

    effort: name of the field that sets the search effort directly, instead of `recall`.
    """

    effort: ClassVar[str] = "nprobe"
    parameters = ("nprobe",)
    search_fields = ("recall", "nprobe")

    recall: Recall | None = None
    """Recall target: share of the 10 nearest neighbours to find; None: 0.98. The search effort for
    this target is measured when a segment is built."""
    flat_below: Rows = 20_000
    """Segments with fewer passages than this number are searched exactly."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.recall is not None and dict(self)[self.effort] is not None:
            raise ValueError(f"`recall` conflicts with `{self.effort}`: give one or the other")
        return self
