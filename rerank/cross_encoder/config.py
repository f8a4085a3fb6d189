"""Configuration of a cross-encoder."""

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
    """Folder of the model (`twindex train cross-encoder` makes one), its name on this machine, or
    "fake"."""
    revision: str | None = None
    """Commit or tag of the model in the hub's local cache; None = the cached revision."""
    max_length: Tokens | None = None
    """Maximum tokens read of a pair; None = the model's own limit."""
    precision: Literal["float32", "bfloat16", "int8"] = "float32"
    """Arithmetic of the model; "int8" quantises the weights and requires a CPU."""
    device: Device = "auto"
    """Device of the model; "auto" is CUDA if available."""
