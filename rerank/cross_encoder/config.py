"""A cross-encoder, configured."""

from __future__ import annotations

from typing import Literal

from ...core.bounds import Tokens
from ...core.config import Device
from ..config import RERANKERS, RerankerConfig, Shorthand


@RERANKERS.register
class CrossEncoderConfig(RerankerConfig):
    """A transformer that reads query and passage together and gives one score."""

    made_by = ".reranker:CrossEncoderReranker"
    shorthand = Shorthand(shown="FOLDER")
    scores_texts = True

    kind: Literal["cross_encoder"] = "cross_encoder"
    model: str
    """A folder (`twindex train cross-encoder` makes one), a name on this machine, or "fake"."""
    revision: str | None = None
    """Commit or tag of the model in the cache of the hub; None = the one that is there."""
    max_length: Tokens | None = None
    """Tokens read of a pair; None = the model's own limit."""
    precision: Literal["float32", "bfloat16", "int8"] = "float32"
    """Arithmetic; "int8" quantises the weights, on processors only."""
    device: Device = "auto"
    """Where the model runs; "auto" is CUDA where there is one."""
