"""The protocols of encoders, which turn texts into vectors or terms (`Representation`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from ..core import Representation, Role

Gives = Literal["dense", "sparse", "terms"]
"""A part of a `Representation` that an encoder fills."""


class Encoder(Protocol):
    """An object that turns texts into dense vectors, sparse vectors or terms.

    An encoder may have an attribute `dimensions`: the number of dimensions of its vectors, or a
    mapping {part: number} if the encoder fills several parts of a `Representation`. Without this
    attribute, Twindex encodes a short text to find out the number.
    """

    @property
    def gives(self) -> frozenset[Gives]:
        """The parts of `Representation` that `encode` fills."""

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """A JSON object of everything that determines the representations.

        It contains for example the model, the digest of its weights, prompts, pooling and
        truncation. Encoders with equal fingerprints return comparable representations.
        """

    def encode(
        self,
        texts: Sequence[str],
        *,
        role: Role,
        advance: Callable[[int], None] | None = None,
    ) -> Representation:
        """Return the representations of `texts`, in order. Thread-safe.

        advance: function that is called after each batch with the number of texts in the batch.
        """

    def term(self, index: int) -> str:
        """Return the name of dimension `index` of a sparse vector: a token of the vocabulary.

        Raises InvalidInputError if `index` is out of range, or if the encoder has no sparse
        vectors.
        """


class CountingEncoder(Encoder, Protocol):
    """An encoder that can count the tokens of a text before it encodes it."""

    def count_tokens(self, texts: Sequence[str], *, role: Role) -> list[int]:
        """Return, for each text, the maximum number of tokens that the model reads to encode it.

        The number is 0 if texts with this role are encoded without a model.
        """


@dataclass(frozen=True, slots=True)
class TokenReader:
    """Counts tokens as an encoder does, so that documents can be cut into passages that fit.

    Encoders have a token reader as their attribute `reader`. It is None if the encoder reads
    documents of any length.

    limit:   maximum number of tokens that the encoder reads of a document.
    lengths: function that returns the number of tokens of each document without truncation. It
             counts the prompt and special tokens if they count towards `limit`.
    """

    limit: int
    lengths: Callable[[Sequence[str]], list[int]]
