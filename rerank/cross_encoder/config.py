"""A cross-encoder, configured."""

from __future__ import annotations

from typing import Literal

from ...core.bounds import Tokens
from ...core.config import Device
from ..config import RERANKERS, RerankerConfig, Shorthand


@RERANKERS.register
class CrossEncoderConfig(RerankerConfig):
    """A transformer that reads query and passage together and gives one score.

    model:      a folder (`twindex train cross-encoder` makes one), a name on this machine, or
                "fake".
    max_length: tokens read of a pair; None = the model's own limit.
    precision:  arithmetic; "int8" quantises the weights, on processors only.
    """

    made_by = ".reranker:CrossEncoderReranker"
    shorthand = Shorthand(shown="FOLDER")
    scores_texts = True

    kind: Literal["cross_encoder"] = "cross_encoder"
    model: str
    revision: str | None = None
    max_length: Tokens | None = None
    precision: Literal["float32", "bfloat16", "int8"] = "float32"
    device: Device = "auto"
