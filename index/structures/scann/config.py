"""ScaNN, configured."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from ....core.bounds import Effort, Rows
from ...codecs.config import CodecConfig
from ..looking import Recall
from ..protocol import STRUCTURES, IndexConfig
from ..recall import recall_or


@STRUCTURES.register
class ScannConfig(IndexConfig):
    """ScaNN (Guo et al. 2020): anisotropic product quantisation in a tree; extra `scann`."""

    made_by = ".scann:ScannTree"
    parameters = ("nprobe",)
    looking = ("recall", "nprobe")
    extra = ("scann", "scann")

    kind: Literal["scann"] = "scann"
    leaves: Effort | None = None
    """Leaves of the tree; None = grows with the square root of the passages."""
    recall: Recall | None = None
    """Of the 10 nearest, calibrated when a segment is built; None = 0.98."""
    nprobe: Effort | None = None
    """Leaves looked at, instead of a recall; None = as calibrated."""
    flat_below: Rows = 20_000
    """Segments with fewer passages are searched exactly."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        return recall_or(self, "nprobe")

    @classmethod
    def usual_codec(cls) -> None:
        """See IndexConfig: it has its own."""

    @classmethod
    def holds(cls, codec: type[CodecConfig], kind: str) -> bool:
        """See IndexConfig: none."""
        return False
