"""Lists on disk, configured."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from ....core.bounds import Bounds, Effort
from ...codecs.config import Int8Codec
from ..protocol import STRUCTURES
from ..recall import ApproximateConfig


@STRUCTURES.register
class SpannConfig(ApproximateConfig):
    """Inverted lists on disk, their heads in memory (SPANN, Chen et al., NeurIPS 2021)."""

    made_by = ".structure:SpannIndex"
    usual_codec = Int8Codec()
    on_disk = True

    kind: Literal["spann"] = "spann"
    head_share: Annotated[float, Bounds(0, 0.5, above=True)] | None = None
    """Heads for each vector; None = what keeps lists at about 40 KiB a list."""
    replicas: Annotated[int, Bounds(1, 32)] | None = None
    """Lists that a vector may be in; None = the least that reaches the recall cheaply, as measured
    on the vectors."""
    epsilon: Annotated[float, Bounds(0, 1_000)] | None = None
    """A vector enters a list only if its head is at most 1 + epsilon times as far as the nearest;
    None = not tested (the paper's epsilon 1)."""
    nprobe: Effort | None = None
    """Lists read, instead of a recall; None = as calibrated."""

    @property
    def layout(self) -> Self:
        """See IndexConfig. The lists of a vector, unless their number is given, are chosen for the
        recall."""
        return self if self.replicas is None else super().layout
