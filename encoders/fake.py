"""Deterministic encoders without a model, for tests and for trying things out: what they share.

Texts that share words are near each other. Every option of the configuration means what it means
for a real encoder; a token is a word here. Those that cannot mean anything are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..core import InvalidInputError, Representation, Role
from .config import EncoderConfig
from .protocol import TokenReader

DIMENSIONS = 64
VOCABULARY = 2**15

C = TypeVar("C", bound=EncoderConfig)


class Fake(Generic[C]):
    """What every fake has; a fake of a kind adds `_represented`."""

    def __init__(self, config: C, limits: Mapping[Role, int | None]) -> None:
        """limits: words read of a text; None = all.

        Raises ConfigError for options that mean nothing without a model.
        """
        config.check_fake()
        self._prompts = {name: text or "" for name, text in config if name.endswith("_prompt")}
        self.config = config.model_copy(update=self._prompts)
        self.gives = config.gives
        self._limits = limits

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        return self.config.model_dump(exclude={"revision", "device"})

    @property
    def reader(self) -> TokenReader | None:
        """What cutting by tokens needs; None without a limit."""
        limit, prompt = self._limits["document"], self._prompts.get("document_prompt", "")

        def lengths(texts: Sequence[str]) -> list[int]:
            return [len(_words(prompt + text)) for text in texts]

        return None if limit is None else TokenReader(limit, lengths)

    def encode(
        self,
        texts: Sequence[str],
        *,
        role: Role,
        advance: Callable[[int], None] | None = None,
    ) -> Representation:
        words, truncated = self._read(texts, role)
        found = self._represented(words, truncated, role)
        if advance is not None:
            for _ in texts:
                advance(1)
        return found

    def term(self, index: int) -> str:
        """A number, as there is no vocabulary. Dense dimensions have no names."""
        if "sparse" not in self.gives:
            raise InvalidInputError("the dimensions of a dense vector have no names")
        if not 0 <= index < VOCABULARY:
            raise InvalidInputError(f"must be in [0, {VOCABULARY})", field="index")
        return f"#{index}"

    def _read(self, texts: Sequence[str], role: Role) -> tuple[list[list[str]], NDArray[np.bool_]]:
        """The words of each text as a model would read them, and which texts have more."""
        prompt, limit = self._prompts.get(f"{role}_prompt", ""), self._limits[role]
        whole = [_words(prompt + text) for text in texts]
        cut = [limit is not None and len(words) > limit for words in whole]
        return [words[:limit] for words in whole], np.array(cut, np.bool_)

    def _represented(
        self, texts: Sequence[list[str]], truncated: NDArray[np.bool_], role: Role
    ) -> Representation:
        """Of texts of which these are the words that are read."""
        raise NotImplementedError


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def place(word: str) -> int:
    """Of a word in the vocabulary."""
    return _digest(word) % VOCABULARY


def _digest(word: str) -> int:
    return int.from_bytes(
        blake2b(word.encode(errors="surrogatepass"), digest_size=8).digest(), "little"
    )


@lru_cache(maxsize=65_536)
def signs(word: str) -> NDArray[np.float32]:
    bits = np.unpackbits(np.frombuffer(_digest(word).to_bytes(8, "little"), np.uint8))
    return bits.astype(np.float32) * 2 - 1
