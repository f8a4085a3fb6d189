"""The configuration of late-interaction encoders."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict

from ...core import Config
from ...core.bounds import Bounds, Tokens
from ...core.config import Device, Precision
from ..config import ENCODERS, EncoderConfig


class LateFields(Config):
    """Late-interaction options that the encoder and the reranker share."""

    model: str = "all-MiniLM-L6-v2"
    """Model: a name on this machine, a folder, or "fake"."""
    revision: str | None = None
    """Commit or tag of the model in the hub's cache; None = the cached one."""
    query_prompt: str | None = None
    """Prompt put before each query, "" for none; None = the model's own prompt."""
    document_prompt: str | None = None
    """Prompt put before each passage, "" for none; None = the model's own prompt."""
    query_length: Annotated[int, Bounds(4, 1_048_576)] | None = None
    """Maximum tokens read of a query, including special tokens; None = the model's own limit. A
    model that pads queries with mask tokens pads them to this length."""
    document_length: Tokens | None = None
    """Maximum tokens read of a passage, including special tokens; None = the model's own limit. A
    model that pads passages with mask tokens pads them to this length."""
    precision: Precision = "float32"
    """Number format in which the model computes."""
    device: Device = "auto"
    """Device that the model runs on; "auto" uses CUDA if it is available."""


@ENCODERS.register
class LateEncoderConfig(LateFields, EncoderConfig):
    """Late interaction: an encoder that returns one vector for each token of a text.

    `twindex.encoders.late.encoder` explains the method.
    """

    made_by = ".encoder:LateEncoder.load"
    faked_by = ".fake:FakeLateEncoder"
    gives = frozenset({"dense"})
    per_token = True
    model_config = ConfigDict(json_schema_extra={"required": ["kind"]})

    kind: Literal["late"] = "late"
    pooling: Annotated[float, Bounds(1, 16)] = 1.0
    """Average number of a passage's tokens that share one stored vector; above 1, vectors with
    similar directions are merged."""
