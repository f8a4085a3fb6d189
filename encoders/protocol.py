"""What an encoder is: text in, a batch of representations out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from ..core import Representation, Role

Gives = Literal["dense", "sparse", "terms"]
"""A part of a `Representation` that an encoder fills."""


class Encoder(Protocol):
    """Turns texts into one or more kinds of representation."""

    @property
    def gives(self) -> frozenset[Gives]:
        """The parts of `Representation` that `encode` fills."""

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """All that decides the values: model, weights digest, prompts, pooling, truncation.

        A JSON object. Two encoders with equal fingerprints give comparable representations.
        """

    def encode(
        self,
        texts: Sequence[str],
        *,
        role: Role,
        advance: Callable[[int], None] | None = None,
    ) -> Representation:
        """Encode `texts` in order; `advance(n)` is called as n more are done. Thread-safe."""

    def term(self, index: int) -> str:
        """Name of one dimension of the sparse vector (its vocabulary piece)."""


class CountingEncoder(Encoder, Protocol):
    """An encoder that can tell what reading a text will take."""

    def count_tokens(self, texts: Sequence[str], *, role: Role) -> list[int]:
        """Tokens of each text that its model would read at most; 0 where no model reads it."""


@dataclass(frozen=True, slots=True)
class TokenReader:
    """What cutting by tokens needs of an encoder (`encoder.reader`, None = reads all).

    limit:   tokens that the encoder reads of a document at most, special tokens included.
    lengths: tokens of each document if none were cut, prompt and special tokens included.
    """

    limit: int
    lengths: Callable[[Sequence[str]], list[int]]
