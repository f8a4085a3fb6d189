"""A sentence-transformers bi-encoder, configured."""

from __future__ import annotations

from typing import Literal

from ...core.bounds import Tokens
from ...core.config import Device, Precision
from ..config import ENCODERS, EncoderConfig


@ENCODERS.register
class DenseEncoderConfig(EncoderConfig):
    """A sentence-transformers bi-encoder."""

    made_by = ".encoder:DenseEncoder.load"
    faked_by = ".fake:FakeDenseEncoder"
    gives = frozenset({"dense"})

    kind: Literal["dense"] = "dense"
    model: str = "all-MiniLM-L6-v2"
    """Its model: a name on this machine, a folder, or "fake"."""
    revision: str | None = None
    """Commit or tag of the model in the cache of the hub; None = the one that is there."""
    query_prompt: str | None = None
    """Text put before a query; None = what the model itself prescribes, "" = nothing."""
    document_prompt: str | None = None
    """Text put before a passage; None = what the model itself prescribes, "" = nothing."""
    max_length: Tokens | None = None
    """Tokens read of each text, special tokens included; None = the model's own limit."""
    normalize: bool = True
    """Vectors of length 1."""
    precision: Precision = "float32"
    """Arithmetic of the model."""
    device: Device = "auto"
    """Where the model runs; "auto" is CUDA where there is one."""
