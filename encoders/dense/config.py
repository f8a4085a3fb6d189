"""The configuration of a sentence-transformers bi-encoder."""

from __future__ import annotations

from typing import Literal

from ...core.bounds import Tokens
from ...core.config import Device, Flag, Precision
from ..config import ENCODERS, EncoderConfig


@ENCODERS.register
class DenseEncoderConfig(EncoderConfig):
    """A sentence-transformers bi-encoder, which returns one dense vector for each text."""

    made_by = ".encoder:DenseEncoder.load"
    faked_by = ".fake:FakeDenseEncoder"
    gives = frozenset({"dense"})

    kind: Literal["dense"] = "dense"
    model: str = "all-MiniLM-L6-v2"
    """Model: a name on this machine, a folder, or "fake"."""
    revision: str | None = None
    """Commit or tag of the model in the hub's cache; None = the cached one."""
    query_prompt: str | None = None
    """Prompt put before each query, "" for none; None = the model's own prompt."""
    document_prompt: str | None = None
    """Prompt put before each passage, "" for none; None = the model's own prompt."""
    max_length: Tokens | None = None
    """Maximum tokens read of each text, including special tokens; None = the model's own limit."""
    normalize: Flag = True
    """Scale vectors to length 1."""
    precision: Precision = "float32"
    """Number format in which the model computes."""
    device: Device = "auto"
    """Device that the model runs on; "auto" uses CUDA if it is available."""
