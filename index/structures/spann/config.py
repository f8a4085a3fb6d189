"""Configuration of the spann index."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from ....core.bounds import Bounds, Effort
from ...codecs.config import Int8Codec
from ..protocol import STRUCTURES
from ..recall import ApproximateConfig


@STRUCTURES.register
class SpannConfig(ApproximateConfig):
    """SPANN (Chen et al. 2021): inverted lists on disk, a vector (head) for each list in memory."""

    made_by = ".structure:SpannIndex"
    usual_codec = Int8Codec()
    on_disk = True

    kind: Literal["spann"] = "spann"
    head_share: Annotated[float, Bounds(0, 0.5, above=True)] | None = None
    """Number of lists, each with one head, as a share of the number of vectors; None: the share for
    which a list has about 40 KiB."""
    replicas: Annotated[int, Bounds(1, 32)] | None = None
    """Maximum number of lists that store a vector; None: chosen from 1 to 3 by measuring, on a
    sample of the vectors, how much a search must read to reach the recall target."""
    epsilon: Annotated[float, Bounds(0, 1_000)] | None = None
    """A vector is stored in a list only if its squared distance to the list's head is at most
    1 + epsilon times its squared distance to the nearest head. The paper calls it epsilon 1. None:
    no limit."""
    nprobe: Effort | None = None
    """Number of lists to read, instead of `recall`; None: calibrated."""

    @property
    def layout(self) -> Self:
        """See IndexConfig. Keeps `recall` if `replicas` is None, because `recall` then affects the
        number of lists per vector."""
        return self if self.replicas is None else super().layout
