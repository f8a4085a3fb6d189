"""Configuration of sparse and lexical legs."""

from __future__ import annotations

from typing import Annotated, Literal

from ...core.bounds import Bounds, Share
from ...core.kinds import OneOf, named
from ...encoders.config import ENCODERS, EncoderConfig
from ...encoders.lexical.config import AnalyzerConfig
from ...encoders.sparse.config import SparseEncoderConfig
from ..legs import LEGS, LegConfig


@LEGS.register
class SparseLeg(LegConfig):
    """A leg that ranks by the exact dot product of sparse vectors, or by MaxSim if a text has
    several vectors."""

    segments = (".sparse:SparseSegment", ".multi:MultiSparseSegment")
    deltas = (".sparse_delta:SparseDelta", ".multi:MultiSparseDelta")

    kind: Literal["sparse"] = "sparse"
    encoder: Annotated[
        EncoderConfig, OneOf(ENCODERS, default="sparse", among=lambda one: "sparse" in one.gives)
    ] = SparseEncoderConfig()
    """Encoder that produces the sparse vectors."""

    def warm(self) -> None:
        """Compile the search code of this leg, so that the first search does not wait.

        See `LegConfig.warm`.
        """
        named(".warm:warm", type(self))()


@LEGS.register
class LexicalLeg(LegConfig):
    """A leg that ranks by BM25 (variant "Lucene (accurate)" of Kamphuis et al. 2020)."""

    segments = (".lexical:LexicalSegment", "")
    deltas = (".lexical_delta:LexicalDelta", "")

    kind: Literal["lexical"] = "lexical"
    encoder: Annotated[
        EncoderConfig, OneOf(ENCODERS, default="analyzer", among=lambda one: "terms" in one.gives)
    ] = AnalyzerConfig()
    """Analyzer that turns text into terms."""
    k1: Annotated[float, Bounds(0, 1_000)] = 0.9
    """BM25: saturation of term frequency. Larger values give more weight to repeated terms."""
    b: Share = 0.4
    """BM25: strength of the normalisation by passage length, from 0 (none) to 1 (full)."""

    def warm(self) -> None:
        """Compile the search code of this leg, so that the first search does not wait.

        See `LegConfig.warm`.
        """
        named(".warm:warm", type(self))()
