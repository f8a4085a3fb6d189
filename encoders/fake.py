"""The base class of fake encoders: deterministic, without a model, for tests and experiments.

Texts that share words have similar vectors. Options have the same meaning as for a real encoder,
except that each word counts as one token. Options that need a model are rejected.
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
    """The base class of fake encoders. Subclasses implement `_encode_words`."""

    def __init__(self, config: C, limits: Mapping[Role, int | None]) -> None:
        """limits: role -> maximum number of words read of a text with this role. None: all words.

        Raises ConfigError for options that need a model.
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
        """Word counter for cutting documents into passages. None: the encoder has no limit."""
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
        representation = self._encode_words(words, truncated, role)
        if advance is not None:
            for _ in texts:
                advance(1)
        return representation

    def term(self, index: int) -> str:
        """Return "#" and the index, because a fake encoder has no vocabulary of words.

        Raises InvalidInputError if the encoder returns dense vectors, or if `index` is out of
        range.
        """
        if "sparse" not in self.gives:
            raise InvalidInputError(
                "dimensions of a dense vector have no names: use a sparse encoder"
            )
        if not 0 <= index < VOCABULARY:
            raise InvalidInputError(f"must be in [0, {VOCABULARY}), got {index}", field="index")
        return f"#{index}"

    def _read(self, texts: Sequence[str], role: Role) -> tuple[list[list[str]], NDArray[np.bool_]]:
        """Return the words of each text, cut at the limit of `role`, and a bool mask [texts].

        The mask is True for texts that have more words than the limit.
        """
        prompt, limit = self._prompts.get(f"{role}_prompt", ""), self._limits[role]
        whole = [_words(prompt + text) for text in texts]
        cut = [limit is not None and len(words) > limit for words in whole]
        return [words[:limit] for words in whole], np.array(cut, np.bool_)

    def _encode_words(
        self, texts: Sequence[list[str]], truncated: NDArray[np.bool_], role: Role
    ) -> Representation:
        """Return the representations of texts, each given as the list of its words."""
        raise NotImplementedError


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def word_index(word: str) -> int:
    """Return the index of a word in the sparse vectors of fake encoders, computed from its hash."""
    return _digest(word) % VOCABULARY


def _digest(word: str) -> int:
    return int.from_bytes(
        blake2b(word.encode(errors="surrogatepass"), digest_size=8).digest(), "little"
    )


@lru_cache(maxsize=65_536)
def signs(word: str) -> NDArray[np.float32]:
    """Return 64 numbers that are each -1 or 1, computed from the word's hash: float32 [64]."""
    bits = np.unpackbits(np.frombuffer(_digest(word).to_bytes(8, "little"), np.uint8))
    return bits.astype(np.float32) * 2 - 1
