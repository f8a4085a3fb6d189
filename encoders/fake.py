"""Deterministic encoders without a model, for tests and for trying things out.

Texts that share words are near each other. Every option of the configuration means what it means
for a real encoder; a token is a word here. Those that cannot mean anything are refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ..core import (
    ConfigError,
    DenseEncoderConfig,
    InvalidInputError,
    LateEncoderConfig,
    Representation,
    Role,
    SparseEncoderConfig,
    TildeEncoderConfig,
)
from .late.vectors import joined
from .protocol import Gives, TokenReader
from .pruning import keep_heaviest, weights_of

NAME = "fake"
DIMENSIONS = 64
VOCABULARY = 2**15


class FakeDenseEncoder:
    """Bag of words: each word adds a fixed vector of 64 signs, drawn from its hash."""

    def __init__(self, config: DenseEncoderConfig | None = None) -> None:
        config = config or DenseEncoderConfig(model=NAME)
        _check(config)
        prompts = {
            "query_prompt": config.query_prompt or "",
            "document_prompt": config.document_prompt or "",
        }
        self.config = config.model_copy(update=prompts)

    @property
    def gives(self) -> frozenset[Gives]:
        return frozenset({"dense"})

    @property
    def reader(self) -> TokenReader | None:
        """What cutting by tokens needs; None without a limit."""
        return _reader(self.config.document_prompt or "", self.config.max_length)

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        return self.config.model_dump(exclude={"revision", "device"})

    def encode(
        self,
        texts: Sequence[str],
        *,
        role: Role,
        advance: Callable[[int], None] | None = None,
    ) -> Representation:
        prompt = self.config.query_prompt if role == "query" else self.config.document_prompt
        prompt = prompt or ""
        dense = np.zeros((len(texts), DIMENSIONS), np.float32)
        truncated = np.zeros(len(texts), np.bool_)
        for row, text in enumerate(texts):
            words, truncated[row] = _words(prompt + text, self.config.max_length)
            for word in words:
                dense[row] += _signs(word)
            if self.config.normalize and (length := np.linalg.norm(dense[row])) > 0:
                dense[row] /= length
            if advance is not None:
                advance(1)
        return Representation(dense=dense, truncated=truncated)

    def term(self, index: int) -> str:
        """Dense dimensions have no names: InvalidInputError."""
        raise InvalidInputError("the dimensions of a dense vector have no names")


class FakeSparseEncoder:
    """Each word weighs log(1 + its frequency), at a place in 2**15 drawn from its hash."""

    def __init__(self, config: SparseEncoderConfig | None = None) -> None:
        self.config = config or SparseEncoderConfig(model=NAME)
        _check(self.config)

    @property
    def gives(self) -> frozenset[Gives]:
        return frozenset({"sparse"})

    @property
    def reader(self) -> TokenReader | None:
        """What cutting by tokens needs; None without a limit."""
        return _reader("", self.config.max_length)

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        return self.config.model_dump(exclude={"revision", "device"})

    def encode(
        self,
        texts: Sequence[str],
        *,
        role: Role,
        advance: Callable[[int], None] | None = None,
    ) -> Representation:
        indices: list[int] = []
        counts: list[int] = []
        indptr = [0]
        truncated = np.zeros(len(texts), np.bool_)
        for row, text in enumerate(texts):
            words, truncated[row] = _words(text, self.config.max_length)
            places = sorted(Counter(_hash(word) % VOCABULARY for word in words).items())
            indices.extend(index for index, _ in places)
            counts.extend(count for _, count in places)
            indptr.append(len(indices))
            if advance is not None:
                advance(1)
        weights = np.log1p(np.asarray(counts, np.float32))
        rows = csr_array(
            (weights, np.asarray(indices, np.int32), np.asarray(indptr, np.int32)),
            shape=(len(texts), VOCABULARY),
        )
        top = self.config.query_top_terms if role == "query" else self.config.top_terms
        return Representation(sparse=keep_heaviest(rows, top), truncated=truncated)

    def term(self, index: int) -> str:
        if not 0 <= index < VOCABULARY:
            raise InvalidInputError(f"must be in [0, {VOCABULARY})", field="index")
        return f"#{index}"


class FakeLateEncoder:
    """A vector of length 1 for each word: its 64 signs, and an eighth of those of the word before.

    An empty text is the word "". `pooling` merges so many neighbours.
    """

    dimensions = DIMENSIONS

    def __init__(self, config: LateEncoderConfig | None = None) -> None:
        config = config or LateEncoderConfig(model=NAME)
        _check(config)
        prompts = {
            "query_prompt": config.query_prompt or "",
            "document_prompt": config.document_prompt or "",
        }
        self.config = config.model_copy(update=prompts)

    @property
    def gives(self) -> frozenset[Gives]:
        return frozenset({"dense"})

    @property
    def reader(self) -> TokenReader | None:
        """What cutting by tokens needs; None without a limit."""
        return _reader(self.config.document_prompt or "", self.config.document_length)

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        return self.config.model_dump(exclude={"revision", "device"})

    def encode(
        self,
        texts: Sequence[str],
        *,
        role: Role,
        advance: Callable[[int], None] | None = None,
    ) -> Representation:
        return self.encode_tokens(texts, role=role, advance=advance)[0]

    def encode_tokens(
        self,
        texts: Sequence[str],
        *,
        role: Role,
        advance: Callable[[int], None] | None = None,
    ) -> tuple[Representation, list[list[str]]]:
        """See TokenEncoder."""
        query = role == "query"
        prompt = (self.config.query_prompt if query else self.config.document_prompt) or ""
        limit = self.config.query_length if query else self.config.document_length
        vectors, names = [], []
        truncated = np.zeros(len(texts), np.bool_)
        for row, text in enumerate(texts):
            words, truncated[row] = _words(prompt + text, limit)
            words = words or [""]
            found = np.stack([_signs(word) for word in words])
            found[1:] += found[:-1] / 8
            merged = 1 if query else round(self.config.pooling)
            if merged > 1:
                starts = np.arange(0, len(found), merged)
                found, words = np.add.reduceat(found, starts, axis=0), []
            found /= np.linalg.norm(found, axis=1, keepdims=True)
            vectors.append(found.astype(np.float16).astype(np.float32))
            names.append(words)
            if advance is not None:
                advance(1)
        return joined(vectors, truncated, DIMENSIONS), names

    def count_tokens(self, texts: Sequence[str], *, role: Role) -> list[int]:
        """See CountingEncoder: words."""
        query = role == "query"
        prompt = (self.config.query_prompt if query else self.config.document_prompt) or ""
        limit = self.config.query_length if query else self.config.document_length
        return [max(1, len(_words(prompt + text, limit)[0])) for text in texts]

    def term(self, index: int) -> str:
        """Dense dimensions have no names: InvalidInputError."""
        raise InvalidInputError("the dimensions of a dense vector have no names")


class FakeTildeEncoder:
    """Each word weighs log(1 + 1 / its first place); a query's words weigh their number.

    Places are those of FakeSparseEncoder. It expands nothing.
    """

    def __init__(self, config: TildeEncoderConfig | None = None) -> None:
        self.config = config or TildeEncoderConfig(model=NAME)
        _check(self.config)
        if self.config.expansion:
            raise ConfigError('"fake" has no head to expand with', field="expansion")

    @property
    def gives(self) -> frozenset[Gives]:
        return frozenset({"sparse"})

    @property
    def reader(self) -> TokenReader | None:
        """What cutting by tokens needs; None without a limit."""
        return _reader("", self.config.max_length)

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        return self.config.model_dump(exclude={"revision", "device"})

    def encode(
        self,
        texts: Sequence[str],
        *,
        role: Role,
        advance: Callable[[int], None] | None = None,
    ) -> Representation:
        rows: list[dict[int, float]] = []
        truncated = np.zeros(len(texts), np.bool_)
        for number, text in enumerate(texts):
            limit = None if role == "query" else self.config.max_length
            words, truncated[number] = _words(text, limit)
            row: dict[int, float] = {}
            for place, word in enumerate(words):
                index = _hash(word) % VOCABULARY
                if role == "query":
                    row[index] = row.get(index, 0.0) + 1
                else:
                    row[index] = max(row.get(index, 0.0), float(np.log1p(1 / (place + 1))))
            rows.append(row)
            if advance is not None:
                advance(1)
        return Representation(sparse=weights_of(rows, VOCABULARY), truncated=truncated)

    def count_tokens(self, texts: Sequence[str], *, role: Role) -> list[int]:
        """See CountingEncoder: words."""
        if role == "query":
            return [0] * len(texts)
        return [max(1, len(_words(text, self.config.max_length)[0])) for text in texts]

    def term(self, index: int) -> str:
        if not 0 <= index < VOCABULARY:
            raise InvalidInputError(f"must be in [0, {VOCABULARY})", field="index")
        return f"#{index}"


def _reader(prompt: str, limit: int | None) -> TokenReader | None:
    """See `TokenReader`: a token is a word."""

    def lengths(texts: Sequence[str]) -> list[int]:
        return [len(re.findall(r"\w+", (prompt + text).lower())) for text in texts]

    return None if limit is None else TokenReader(limit, lengths)


def _check(
    config: DenseEncoderConfig | SparseEncoderConfig | LateEncoderConfig | TildeEncoderConfig,
) -> None:
    if config.revision is not None:
        raise ConfigError('"fake" has no revisions', field="revision")
    if config.precision != "float32":
        raise ConfigError('"fake" computes in float32', field="precision")


def _words(text: str, max_length: int | None) -> tuple[list[str], bool]:
    words = re.findall(r"\w+", text.lower())
    return words[:max_length], max_length is not None and len(words) > max_length


def _hash(word: str) -> int:
    return int.from_bytes(
        blake2b(word.encode(errors="surrogatepass"), digest_size=8).digest(), "little"
    )


@lru_cache(maxsize=65_536)
def _signs(word: str) -> NDArray[np.float32]:
    bits = np.unpackbits(np.frombuffer(_hash(word).to_bytes(8, "little"), np.uint8))
    return bits.astype(np.float32) * 2 - 1
