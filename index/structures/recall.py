"""Indexes that find most of the nearest, not all."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import model_validator

from ...core.bounds import Rows
from .looking import Recall
from .protocol import IndexConfig


class ApproximateConfig(IndexConfig):
    """What the configuration of every index has that finds most of the nearest.

    effort: the field that says how far a search looks, instead of a recall.
    """

    effort: ClassVar[str] = "nprobe"
    parameters = ("nprobe",)
    looking = ("recall", "nprobe")

    recall: Recall | None = None
    """Of the 10 nearest, calibrated when a segment is built; None = 0.98."""
    flat_below: Rows = 20_000
    """Segments with fewer passages are searched exactly."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.recall is not None and dict(self)[self.effort] is not None:
            raise ValueError(f"recall and {self.effort} both say how far to look: give one")
        return self
