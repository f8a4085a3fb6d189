"""A pair of encoders: documents are encoded by one, queries by the other.

Use it if a cheaper encoder of queries was trained for the vectors of another model, such as a
static or a distilled one, or if documents bring vectors (`external`) and queries are texts. The
vectors of both must be comparable: their inner product must be a meaningful score. Twindex compares
only their dimensions and, for sparse vectors, the names of the terms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...core import ConfigError, Representation, Role, Usage
from ..protocol import Encoder, Gives, TokenReader
from .config import PairEncoderConfig

PROBE = "A text to compare the dimensions."


class PairEncoder:
    """Encodes documents with one encoder and queries with another. Thread-safe if both are."""

    def __init__(self, documents: Encoder, queries: Encoder, fills: frozenset[Gives]) -> None:
        """fills: parts of a `Representation` that both encoders fill.

        Raises ConfigError if the vectors of the two encoders cannot be compared.
        """
        self.documents = documents
        self.queries = queries
        self.gives = fills
        self.reader: TokenReader | None = getattr(documents, "reader", None)
        """Token counter for cutting documents into passages."""
        self.fingerprint: Mapping[str, Any] = {
            "kind": "pair",
            **{f"documents.{key}": value for key, value in documents.fingerprint.items()},
            **{f"queries.{key}": value for key, value in queries.fingerprint.items()},
        }
        for part in sorted(fills):
            _check_widths(documents, queries, part)
        self.dimensions = {part: width(queries, part, "query") for part in sorted(fills)}

    @classmethod
    def load(cls, config: PairEncoderConfig) -> PairEncoder:
        """Load both encoders. The field of an error starts with `documents` or `queries`."""
        loaded = {}
        for name, part in config.inner.items():
            try:
                loaded[name] = part.load()
            except ConfigError as error:
                field = name if error.field is None else f"{name}.{error.field}"
                raise ConfigError(error.message, field=field) from None
        return cls(loaded["documents"], loaded["queries"], config.fills)

    def encode(
        self,
        texts: Sequence[str],
        *,
        role: Role,
        advance: Callable[[int], None] | None = None,
    ) -> Representation:
        encoder = self.queries if role == "query" else self.documents
        return encoder.encode(texts, role=role, advance=advance)

    def term(self, index: int) -> str:
        """Return the name of a dimension in the vocabulary of the encoder of queries."""
        return self.queries.term(index)


def width(
    encoder: Encoder,
    part: Gives,
    role: Role,
    count: Callable[[Usage | None], None] | None = None,
) -> int:
    """Return the number of dimensions of an encoder's dense or sparse vectors.

    Reads the attribute `dimensions` of encoders that have it: a number, or part -> number for an
    encoder that fills several parts. Encodes a short text otherwise.

    count: function called with the usage of this text.
    """
    known = getattr(encoder, "dimensions", None)
    if isinstance(known, Mapping):
        known = known.get(part)
    if isinstance(known, int):
        return known
    probe = encoder.encode([PROBE], role=role)
    if count is not None:
        count(probe.usage)
    vectors = probe.dense if part == "dense" else probe.sparse
    assert vectors is not None, f"the encoder gives {part}"
    return int(vectors.shape[1])


def _check_widths(documents: Encoder, queries: Encoder, part: Gives) -> None:
    """Raise ConfigError if two encoders return vectors with different dimensions."""
    wide, own = width(documents, part, "document"), width(queries, part, "query")
    if wide != own:
        raise ConfigError(
            f"its {part} vectors have {own} dimensions, but those of the documents have {wide}; "
            "name two encoders whose vectors are comparable",
            field="queries",
        )
    if part == "sparse" and not _unnamed(documents):
        for index in range(own):
            if documents.term(index) != queries.term(index):
                raise ConfigError(
                    f"names dimension {index} {queries.term(index)!r}, but the encoder of the "
                    f"documents names it {documents.term(index)!r}; name two encoders with the "
                    "same vocabulary",
                    field="queries",
                )


def _unnamed(encoder: Encoder) -> bool:
    """Return True for external sparse vectors without a vocabulary."""
    return encoder.fingerprint.get("kind") == "external-sparse" and (
        encoder.fingerprint.get("terms") is None
    )
