"""ScaNN, configured."""

from __future__ import annotations

from typing import Literal

from ....core.bounds import Effort
from ...codecs.config import CodecConfig
from ..protocol import STRUCTURES
from ..recall import ApproximateConfig


@STRUCTURES.register
class ScannConfig(ApproximateConfig):
    """ScaNN (Guo et al. 2020): anisotropic product quantisation in a tree; extra `scann`."""

    made_by = ".scann:ScannTree"
    usual_codec = None
    extra = ("scann", "scann")

    kind: Literal["scann"] = "scann"
    leaves: Effort | None = None
    """Leaves of the tree; None = grows with the square root of the passages."""
    nprobe: Effort | None = None
    """Leaves looked at, instead of a recall; None = as calibrated."""

    @classmethod
    def holds(cls, codec: type[CodecConfig], kind: str) -> bool:
        """See IndexConfig: none."""
        return False
