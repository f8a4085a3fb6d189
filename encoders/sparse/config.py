"""A learned sparse encoder, configured."""

from __future__ import annotations

from typing import Literal

from ...core.bounds import Count, Tokens
from ...core.config import Device, Precision
from ..config import ENCODERS, EncoderConfig


@ENCODERS.register
class SparseEncoderConfig(EncoderConfig):
    """A learned sparse encoder (SPLADE) through sentence-transformers' SparseEncoder."""

    made_by = ".encoder:SparseEncoder.load"
    faked_by = ".fake:FakeSparseEncoder"
    gives = frozenset({"sparse"})

    kind: Literal["sparse"] = "sparse"
    model: str = "splade-tiny"
    """Its model: a name on this machine, a folder, or "fake"."""
    revision: str | None = None
    """Commit or tag of the model in the cache of the hub; None = the one that is there."""
    max_length: Tokens | None = None
    """Tokens read of each text, special tokens included; None = the model's own limit."""
    top_terms: Count | None = None
    """Heaviest terms kept of a document; None = all."""
    query_top_terms: Count | None = None
    """Heaviest terms kept of a query; None = all."""
    precision: Precision = "float32"
    """Arithmetic of the model."""
    device: Device = "auto"
    """Where the model runs; "auto" is CUDA where there is one."""
