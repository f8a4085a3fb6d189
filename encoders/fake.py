"""Deterministic encoders without a model, for tests and for trying things out: what they share.

Texts that share words are near each other. Every option of the configuration means what it means
for a real encoder; a token is a word here. Those that cannot mean anything are refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..core import InvalidInputError
from .config import EncoderConfig
from .protocol import Gives, TokenReader

DIMENSIONS = 64
VOCABULARY = 2**15

C = TypeVar("C", bound=EncoderConfig)


class Fake(Generic[C]):
    """What every fake has; a fake of a kind adds `encode`."""

    def __init__(self, config: C) -> None:
        """Raises ConfigError for options that mean nothing without a model."""
        config.check_fake()
        fields = dict(config)
        prompts = [name for name in ("query_prompt", "document_prompt") if name in fields]
        self.config = config.model_copy(update={name: fields[name] or "" for name in prompts})

    @property
    def gives(self) -> frozenset[Gives]:
        return self.config.gives

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        return self.config.model_dump(exclude={"revision", "device"})

    def term(self, index: int) -> str:
        """A number, as there is no vocabulary. Dense dimensions have no names."""
        if "sparse" not in self.gives:
            raise InvalidInputError("the dimensions of a dense vector have no names")
        if not 0 <= index < VOCABULARY:
            raise InvalidInputError(f"must be in [0, {VOCABULARY})", field="index")
        return f"#{index}"


def reader(prompt: str, limit: int | None) -> TokenReader | None:
    """See `TokenReader`: a token is a word."""

    def lengths(texts: Sequence[str]) -> list[int]:
        return [len(re.findall(r"\w+", (prompt + text).lower())) for text in texts]

    return None if limit is None else TokenReader(limit, lengths)


def words_of(text: str, max_length: int | None) -> tuple[list[str], bool]:
    words = re.findall(r"\w+", text.lower())
    return words[:max_length], max_length is not None and len(words) > max_length


def digest(word: str) -> int:
    return int.from_bytes(
        blake2b(word.encode(errors="surrogatepass"), digest_size=8).digest(), "little"
    )


@lru_cache(maxsize=65_536)
def signs(word: str) -> NDArray[np.float32]:
    bits = np.unpackbits(np.frombuffer(digest(word).to_bytes(8, "little"), np.uint8))
    return bits.astype(np.float32) * 2 - 1
