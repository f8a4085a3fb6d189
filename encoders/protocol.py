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

    It may have an attribute `dimensions`: the number of dimensions of its vectors, or a mapping
    {part: number} if it fills several parts. Without it, a short text is encoded to find out.
    """

    @property
    def gives(self) -> frozenset[Gives]:
        """The parts of `Representation` that `encode` fills."""

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """Everything that determines the representations, as a JSON object.

        For example model, digest of the weights, prompts, pooling and truncation. Encoders with
        equal fingerprints return comparable representations.
        """

    def encode(
        self,
        texts: Sequence[str],
        *,
        role: Role,
        advance: Callable[[int], None] | None = None,
    ) -> Representation:
        """Return the representations of `texts`, in order. Thread-safe.

        advance: called with the number of texts in each batch, after the batch.
        """

    def term(self, index: int) -> str:
        """Return the name of dimension `index` of a sparse vector: a token of the vocabulary.

        Raises InvalidInputError for an index out of range, and for an encoder without sparse
        vectors.
        """


class CountingEncoder(Encoder, Protocol):
    """An encoder that can count the tokens of a text before it encodes it."""

    def count_tokens(self, texts: Sequence[str], *, role: Role) -> list[int]:
        """Return, for each text, the most tokens that the model reads to encode it.

        0: texts of this role are encoded without a model.
        """


@dataclass(frozen=True, slots=True)
class TokenReader:
    """Counts an encoder's tokens, for cutting documents into passages.

    It is the attribute `reader` of an encoder. If an encoder reads documents of any length, its
    `reader` is None.

    limit:   most tokens that the encoder reads of a document, including special tokens.
    lengths: returns the number of tokens of each document without truncation, including prompt and
             special tokens.
    """

    limit: int
    lengths: Callable[[Sequence[str]], list[int]]
