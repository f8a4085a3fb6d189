"""The configuration of TILDEv2 encoders."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict

from ...core import Config
from ...core.bounds import Bounds, Tokens
from ...core.config import Device, Precision
from ..config import ENCODERS, EncoderConfig


class TildeFields(Config):
    """TILDEv2 options that the encoder and the reranker share."""

    model: str = "splade-tiny"
    """Model: a name on this machine, a folder, or "fake"."""
    revision: str | None = None
    """Commit or tag of the model in the hub's cache; None = the cached one."""
    max_length: Tokens | None = None
    """Maximum tokens read of a passage, including special tokens; None = the model's own limit."""
    expansion: Annotated[int, Bounds(0, 1_000)] = 0
    """Number of tokens that a model predicts for each passage. Tokens that are not in the passage
    are added to it before its tokens are weighted. The paper uses 200; 0 adds none."""
    expansion_model: str | None = None
    """Model whose language-model head (its output layer) ranks tokens for the expansion; None =
    `model` itself."""
    expansion_reading: Literal["auto", "first", "max"] = "auto"
    """How the language-model head ranks tokens for the expansion: "first" uses the logits at the
    first position (TILDE), "max" the greatest logit of a token at any position (SPLADE). "auto" is
    "first" with an `expansion_model`, else "max"."""
    language: str = "en"
    """Language of the stopwords, which get no weight; "none" keeps all words."""
    precision: Precision = "float32"
    """Number format in which the model computes."""
    device: Device = "auto"
    """Device that the model runs on; "auto" uses CUDA if it is available."""


@ENCODERS.register
class TildeEncoderConfig(TildeFields, EncoderConfig):
    """TILDEv2: a model weights only the tokens that occur in a passage. Queries need no model.

    `twindex.encoders.tilde.encoder` explains the method.
    """

    made_by = ".encoder:TildeEncoder.load"
    faked_by = ".fake:FakeTildeEncoder"
    gives = frozenset({"sparse"})
    models = {"model": "weights", "expansion_model": "expansion_weights"}  # noqa: RUF012
    model_config = ConfigDict(json_schema_extra={"required": ["kind"]})

    kind: Literal["tilde"] = "tilde"
