"""A pair of encoders: documents are encoded by one, queries by the other.

Use a pair in two cases:

- A cheaper encoder of queries, such as a static or distilled model, was trained for the vectors of
  another model, which encodes the documents.
- Documents come with vectors (`external`), and queries are texts.

The vectors of both encoders must be comparable: their inner product must be a meaningful score.
Twindex compares only the numbers of dimensions and, for sparse vectors, the names of the terms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...core import ConfigError, Representation, Role, Usage
from ..protocol import Encoder, Gives, TokenReader
from .config import PairEncoderConfig

PROBE = "A text to compare the dimensions."


class PairEncoder:
    """Encodes documents with one encoder and queries with another.

    Thread-safe if both encoders are thread-safe.
    """

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
        """Load both encoders.

        If loading raises a ConfigError, its field starts with `documents` or `queries`.
        """
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
        """Return the name that the query encoder gives to the dimension `index`."""
        return self.queries.term(index)


def width(
    encoder: Encoder,
    part: Gives,
    role: Role,
    count: Callable[[Usage | None], None] | None = None,
) -> int:
    """Return the number of dimensions of an encoder's dense or sparse vectors.

    If the encoder has an attribute `dimensions`, its value is used. The value is a number, or a
    mapping {part: number} for an encoder that fills several parts. Without this attribute, a short
    text is encoded.

    part:  "dense" or "sparse".
    role:  role with which the short text is encoded.
    count: function that receives the usage (such as tokens) if the short text is encoded. None: the
           usage is not counted.
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
    """Raise ConfigError if the vectors of two encoders differ in their dimensions.

    Sparse vectors must also have the same name for each dimension, if the dimensions have names.
    """
    wide, own = width(documents, part, "document"), width(queries, part, "query")
    if wide != own:
        raise ConfigError(
            f"the {part} vectors of the query encoder have {own} dimensions, but the vectors of "
            f"the document encoder have {wide}; choose two encoders whose vectors are comparable",
            field="queries",
        )
    if part == "sparse" and not _unnamed(documents):
        for index in range(own):
            if documents.term(index) != queries.term(index):
                raise ConfigError(
                    f"dimension {index} is {queries.term(index)!r} in the query encoder, but "
                    f"{documents.term(index)!r} in the document encoder; choose two encoders with "
                    "the same vocabulary",
                    field="queries",
                )


def _unnamed(encoder: Encoder) -> bool:
    """Return True if the encoder's vectors are external and sparse, and have no vocabulary."""
    return encoder.fingerprint.get("kind") == "external-sparse" and (
        encoder.fingerprint.get("terms") is None
    )
