"""Late interaction, configured."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict

from ...core.bounds import Bounds, Tokens
from ...core.config import Device, Precision
from ..config import ENCODERS, EncoderConfig


@ENCODERS.register
class LateEncoderConfig(EncoderConfig):
    """A vector for each token of a text (late interaction), see `twindex.encoders.late.encoder`."""

    made_by = ".encoder:LateEncoder.load"
    faked_by = ".fake:FakeLateEncoder"
    gives = frozenset({"dense"})
    per_token = True
    model_config = ConfigDict(json_schema_extra={"required": ["kind"]})

    kind: Literal["late"] = "late"
    model: str = "all-MiniLM-L6-v2"
    """Its model: a name on this machine, a folder, or "fake"."""
    revision: str | None = None
    """Commit or tag of the model in the cache of the hub; None = the one that is there."""
    query_prompt: str | None = None
    """Text put before a query; None = what the model itself prescribes, "" = nothing."""
    document_prompt: str | None = None
    """Text put before a passage; None = what the model itself prescribes, "" = nothing."""
    query_length: Annotated[int, Bounds(4, 1_048_576)] | None = None
    """Tokens read of a query, special tokens included; None = the model's own limit. Where the
    model fills queries up with masks, also how far."""
    document_length: Tokens | None = None
    """Tokens read of a passage, special tokens included; None = the model's own limit. Where the
    model fills passages up with masks, also how far."""
    pooling: Annotated[float, Bounds(1, 16)] = 1.0
    """Tokens of a passage for each vector that is kept: neighbours in direction are merged."""
    precision: Precision = "float32"
    """Arithmetic of the model."""
    device: Device = "auto"
    """Where the model runs; "auto" is CUDA where there is one."""
