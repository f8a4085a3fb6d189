"""ScaNN, configured."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from ....core.bounds import Effort, Rows
from ...codecs.config import CodecConfig
from ..looking import Recall
from ..protocol import IndexConfig
from ..recall import recall_or


class ScannConfig(IndexConfig):
    """ScaNN (Guo et al. 2020): anisotropic product quantisation in a tree; extra `scann`.

    leaves: None = grows with the square root of the passages. recall, nprobe: as for IvfConfig.
    """

    made_by = ".scann:ScannTree"
    parameters = ("nprobe",)
    looking = ("recall", "nprobe")
    extra = ("scann", "scann")

    kind: Literal["scann"] = "scann"
    leaves: Effort | None = None
    recall: Recall | None = None
    nprobe: Effort | None = None
    flat_below: Rows = 20_000

    @model_validator(mode="after")
    def _one(self) -> Self:
        return recall_or(self, "nprobe")

    def usual_codec(self) -> None:
        """See IndexConfig: it has its own."""

    @classmethod
    def holds(cls, codec: type[CodecConfig], kind: str) -> bool:
        """See IndexConfig: none."""
        return False
