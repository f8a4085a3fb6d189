"""The configuration of a learned sparse encoder."""

from __future__ import annotations

from typing import Literal

from ...core.bounds import Count, Tokens
from ...core.config import Device, Precision
from ..config import ENCODERS, EncoderConfig


@ENCODERS.register
class SparseEncoderConfig(EncoderConfig):
    """A learned sparse encoder (SPLADE), computed by sentence-transformers' SparseEncoder."""

    made_by = ".encoder:SparseEncoder.load"
    faked_by = ".fake:FakeSparseEncoder"
    gives = frozenset({"sparse"})

    kind: Literal["sparse"] = "sparse"
    model: str = "splade-tiny"
    """Model: a name on this machine, a folder, or "fake"."""
    revision: str | None = None
    """Commit or tag of the model in the hub's cache; None = the cached one."""
    max_length: Tokens | None = None
    """Maximum tokens read of each text, including special tokens; None = the model's own limit."""
    top_terms: Count | None = None
    """Number of terms kept of a document: those with the largest weights; None = all."""
    query_top_terms: Count | None = None
    """Number of terms kept of a query: those with the largest weights; None = all."""
    precision: Precision = "float32"
    """Number format in which the model computes."""
    device: Device = "auto"
    """Device that the model runs on; "auto" uses CUDA if it is available."""
