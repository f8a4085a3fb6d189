"""Encoders that encode no text, because their vectors come with the documents and queries.

Such an encoder knows the number of dimensions and, for sparse vectors, the terms.
`twindex.search.encoding.brought` reads the vectors of documents and queries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

from ...core import ConfigError, InvalidInputError, ModelError, Representation, Role, SourceError
from ...core.files import read_bounded
from .config import ExternalEncoderConfig, ExternalSparseEncoderConfig

MOST_BYTES = 256 << 20
"""Maximum size of a vocabulary file."""


class _Encoder:
    """The base class of external encoders: `encode` rejects all texts."""

    reader = None

    def encode(
        self,
        texts: Sequence[str],
        *,
        role: Role,
        advance: Callable[[int], None] | None = None,
    ) -> Representation:
        """Raise InvalidInputError, because vectors must come with the document or query."""
        remedy = (
            "set `vectors` in the request, or configure a query encoder (kind: pair)"
            if role == "query"
            else "add `vectors` to the document"
        )
        raise InvalidInputError(
            f"an external encoder encodes no text, got a text with the role {role!r}; {remedy}",
            field="vectors",
        )


class ExternalEncoder(_Encoder):
    """The encoder of dense vectors that come with the documents and queries.

    dimensions: number of dimensions of each vector.
    """

    gives = ExternalEncoderConfig.gives

    def __init__(self, config: ExternalEncoderConfig) -> None:
        self.dimensions = config.dimensions
        self.fingerprint: Mapping[str, Any] = config.model_dump()

    def term(self, index: int) -> str:
        raise InvalidInputError("dimensions of a dense vector have no names: use a sparse encoder")


class ExternalSparseEncoder(_Encoder):
    """The encoder of sparse vectors that come with the documents and queries.

    dimensions: number of dimensions of each vector.
    """

    gives = ExternalSparseEncoderConfig.gives

    def __init__(self, config: ExternalSparseEncoderConfig, terms: Sequence[str] | None) -> None:
        """terms: the name of each dimension. None: dimensions have no names."""
        self._terms = terms
        self.dimensions: int = config.dimensions or len(terms or ())
        digest = blake2b("\n".join(terms or ()).encode(), digest_size=16).hexdigest()
        self.fingerprint: Mapping[str, Any] = {
            **config.model_dump(),
            "dimensions": self.dimensions,
            "vocabulary": config.vocabulary and Path(config.vocabulary).name,
            "terms": None if terms is None else digest,
        }

    @classmethod
    def load(cls, config: ExternalSparseEncoderConfig) -> ExternalSparseEncoder:
        """Create the encoder, and read its vocabulary file if one is configured.

        Raises ModelError if the file cannot be read, and ConfigError if it is not a vocabulary.
        """
        if config.vocabulary is None:
            return cls(config, None)
        try:
            content = read_bounded(Path(config.vocabulary).expanduser(), MOST_BYTES)
        except SourceError as error:
            raise ModelError(f"vocabulary {config.vocabulary!r}: {error.message}") from None
        return cls(config, _parse(content))

    def term(self, index: int) -> str:
        """Return the term in line `index` of the vocabulary, counted from 0.

        Without a vocabulary, returns `index` as a decimal string.
        """
        if not 0 <= index < self.dimensions:
            raise InvalidInputError(
                f"must be in [0, {self.dimensions}), got {index}", field="index"
            )
        return str(index) if self._terms is None else self._terms[index]


def _parse(content: bytes) -> list[str]:
    """Return the terms of a vocabulary file, one for each line.

    Raises ConfigError if the file is empty, is not UTF-8 or contains a term twice.
    """
    try:
        lines = content.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"the file is not UTF-8 ({error.reason}); convert it to UTF-8", field="vocabulary"
        ) from None
    if lines[-1] == "":
        lines.pop()
    terms = [line.removesuffix("\r") for line in lines]
    if not terms:
        raise ConfigError("the file is empty; write one term in each line", field="vocabulary")
    seen: dict[str, int] = {}
    for number, term in enumerate(terms, 1):
        if seen.setdefault(term, number) != number:
            raise ConfigError(
                f"line {number} repeats the term {term!r} of line {seen[term]}; write each term "
                "only once",
                field="vocabulary",
            )
    return terms
