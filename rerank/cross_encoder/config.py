"""Configuration of a cross-encoder."""

from __future__ import annotations

from typing import Literal

from ...core.bounds import Tokens
from ...core.config import Device
from ..config import RERANKERS, RerankerConfig, Shorthand


@RERANKERS.register
class CrossEncoderConfig(RerankerConfig):
    """A transformer that reads query and passage together and returns one relevance score."""

    made_by = ".reranker:CrossEncoderReranker"
    shorthand = Shorthand(shown="FOLDER")
    scores_texts = True

    kind: Literal["cross_encoder"] = "cross_encoder"
    model: str
    """Folder of the model (`twindex train cross-encoder` makes one), its name on this machine, or
    "fake"."""
    revision: str | None = None
    """Commit or tag of the model in the local cache of the hub; None = the cached revision."""
    max_length: Tokens | None = None
    """Maximum tokens read of a query and a passage together; None = the model's own limit."""
    precision: Literal["float32", "bfloat16", "int8"] = "float32"
    """Number format in which the model computes; "int8" quantises the weights and runs only on the
    CPU."""
    device: Device = "auto"
    """Device of the model; "auto" is CUDA if available."""
