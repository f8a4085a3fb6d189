"""The configuration of a pair of encoders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, model_validator

from ...core.kinds import OneOf
from ..config import ENCODERS, EncoderConfig
from ..protocol import Gives


def _single(kind: type[EncoderConfig]) -> bool:
    """Return True if an encoder of this kind may be part of a pair."""
    return kind.pairs and not kind.per_token and bool(kind.gives & {"dense", "sparse"})


def _of_queries(kind: type[EncoderConfig]) -> bool:
    """Return True if an encoder of this kind may encode the queries of a pair."""
    return _single(kind) and kind.encodes_text


@ENCODERS.register
class PairEncoderConfig(EncoderConfig):
    """Two encoders with comparable vectors: one for documents, the other for queries.

    `twindex.encoders.pair.encoder` explains when to use it.
    """

    made_by = ".encoder:PairEncoder.load"
    gives = frozenset({"dense", "sparse"})
    models = {}  # noqa: RUF012
    pairs = False
    model_config = ConfigDict(json_schema_extra={"required": ["kind", "documents", "queries"]})

    kind: Literal["pair"] = "pair"
    documents: Annotated[EncoderConfig, OneOf(ENCODERS, default="dense", among=_single)]
    """Encoder of the documents."""
    queries: Annotated[EncoderConfig, OneOf(ENCODERS, default="dense", among=_of_queries)]
    """Encoder of the queries."""

    @property
    def fills(self) -> frozenset[Gives]:
        """Parts of a `Representation` that both encoders fill."""
        return self.documents.fills & self.queries.fills

    @property
    def inner(self) -> Mapping[str, EncoderConfig]:
        """The two encoders: field -> configuration."""
        return {"documents": self.documents, "queries": self.queries}

    @property
    def label(self) -> str:
        """The labels of both encoders, joined by a plus sign."""
        return f"{self.documents.label}+{self.queries.label}"

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        for name, part in self.inner.items():
            if part.many:
                raise ValueError(
                    f"{name}: {part.label} returns several vectors for a text; choose an encoder "
                    "that returns one vector"
                )
        if not self.fills:
            raise ValueError(
                f"documents ({self.documents.kind}) and queries ({self.queries.kind}) must both "
                "return dense or both return sparse vectors"
            )
        return self
