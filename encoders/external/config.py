"""The configurations of encoders whose vectors come with the documents and queries."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, model_validator

from ...core.bounds import Bounds
from ..config import ENCODERS, EncoderConfig


@ENCODERS.register
class ExternalEncoderConfig(EncoderConfig):
    """Dense vectors that come with the documents and queries. No text is encoded."""

    made_by = ".encoder:ExternalEncoder"
    gives = frozenset({"dense"})
    models = {}  # noqa: RUF012
    encodes_text = False
    model_config = ConfigDict(json_schema_extra={"required": ["kind", "dimensions"]})

    kind: Literal["external"] = "external"
    model: str = "external"
    """Your name for the model that made the vectors. It is stored and compared, never loaded."""
    dimensions: Annotated[int, Bounds(1, 65_536)]
    """Number of dimensions of each vector."""


@ENCODERS.register
class ExternalSparseEncoderConfig(EncoderConfig):
    """Sparse vectors that come with the documents and queries: weights by term or by index."""

    made_by = ".encoder:ExternalSparseEncoder.load"
    gives = frozenset({"sparse"})
    models = {"vocabulary": "terms"}  # noqa: RUF012
    flags = {"dimensions": "--sparse-dimensions", "vocabulary": "--vocabulary"}  # noqa: RUF012
    encodes_text = False
    model_config = ConfigDict(json_schema_extra={"required": ["kind"]})

    kind: Literal["external-sparse"] = "external-sparse"
    model: str = "external"
    """Your name for the model that made the vectors. It is stored and compared, never loaded."""
    dimensions: Annotated[int, Bounds(1, 10_000_000)] | None = None
    """Number of dimensions, which is greater than the largest index; None = the number of terms in
    the vocabulary."""
    vocabulary: str | None = None
    """Text file with one term in each line: line n, counted from 0, is the term of index n. None =
    terms have no names, and weights are given by index."""

    @model_validator(mode="after")
    def _sized(self) -> Self:
        if (self.dimensions is None) == (self.vocabulary is None):
            raise ValueError(
                "requires either `dimensions` (weights by index) or `vocabulary` (weights by term)"
            )
        return self
