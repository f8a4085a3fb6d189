"""Configuration of the scann index."""

from __future__ import annotations

from typing import Literal

from ....core.bounds import Effort
from ...codecs.config import CodecConfig
from ..protocol import STRUCTURES
from ..recall import ApproximateConfig


@STRUCTURES.register
class ScannConfig(ApproximateConfig):
    """ScaNN (Guo et al. 2020), in extra `scann`: anisotropic product quantisation in a tree."""

    made_by = ".scann:ScannTree"
    usual_codec = None
    extra = ("scann", "scann")

    kind: Literal["scann"] = "scann"
    leaves: Effort | None = None
    """Number of leaves of the tree; None: 2.24 times the square root of the number of passages, for
    example 224 for 10,000 passages."""
    nprobe: Effort | None = None
    """Number of leaves to search, instead of `recall`; None: calibrated."""

    @classmethod
    def supports_codec(cls, codec: type[CodecConfig], kind: str) -> bool:
        """See IndexConfig. Supports no codec: ScaNN has its own encoding."""
        return False
