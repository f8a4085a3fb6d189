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
    Representation,
    Role,
    SparseEncoderConfig,
)
from .protocol import Gives
from .pruning import keep_heaviest

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


def _check(config: DenseEncoderConfig | SparseEncoderConfig) -> None:
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
