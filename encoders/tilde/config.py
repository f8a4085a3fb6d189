"""TILDEv2, configured."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict

from ...core.bounds import Bounds, Tokens
from ...core.config import Device, Precision
from ..config import ENCODERS, EncoderConfig


@ENCODERS.register
class TildeEncoderConfig(EncoderConfig):
    """Weights of a text's own tokens, and queries without a model (TILDEv2), see
    `twindex.encoders.tilde.encoder`."""

    made_by = ".encoder:TildeEncoder.load"
    faked_by = ".fake:FakeTildeEncoder"
    gives = frozenset({"sparse"})
    models = {"model": "weights", "expansion_model": "expansion_weights"}  # noqa: RUF012
    model_config = ConfigDict(json_schema_extra={"required": ["kind"]})

    kind: Literal["tilde"] = "tilde"
    model: str = "splade-tiny"
    """Its model: a name on this machine, a folder, or "fake"."""
    revision: str | None = None
    """Commit or tag of the model in the cache of the hub; None = the one that is there."""
    max_length: Tokens | None = None
    """Tokens read of a passage, special tokens included; None = the model's own limit."""
    expansion: Annotated[int, Bounds(0, 1_000)] = 0
    """Likeliest tokens of which those that are not in the passage are added to it, before it is
    weighed; the paper has 200. 0 = none."""
    expansion_model: str | None = None
    """Whose language-model head says what is likely; None = that of `model`."""
    expansion_reading: Literal["auto", "first", "max"] = "auto"
    """Where the head is read: at the first position (TILDE), or the greatest of all (SPLADE).
    "auto" is the first where an `expansion_model` is named, else the greatest."""
    language: str = "en"
    """Of the stopwords that get no weight; "none" keeps all words."""
    precision: Precision = "float32"
    """Arithmetic of the model."""
    device: Device = "auto"
    """Where the model runs; "auto" is CUDA where there is one."""
