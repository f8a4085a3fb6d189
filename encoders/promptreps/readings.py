"""The variants of PromptReps: how the states of a language model become vectors.

After the prompt the model writes words and then a closing quote. Each step generates one token. The
state from which the model chose the token represents the token.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...llm import StateModel, States
from .config import Variant

STEPS = 10
"""Maximum number of tokens that the model generates, in variants that use several tokens."""


@dataclass(frozen=True, slots=True)
class Readings:
    """The vectors of n texts, in order.

    m is the total number of vectors, d their number of dimensions.

    dense:  the dense vectors, each of length 1: float32 [m, d].
    logits: the logits that become sparse vectors: float32 [m, vocabulary].
    counts: number of vectors of each text, at least 1: int64 [n].
    """

    dense: NDArray[np.float32]
    logits: NDArray[np.float32]
    counts: NDArray[np.int64]


class Reader:
    """Converts the states of a language model to vectors, for one variant of PromptReps.

    steps: maximum number of tokens that the model generates for a text.
    stop:  tokens at which the model stops.
    """

    def __init__(self, model: StateModel, variant: Variant) -> None:
        self._model = model
        self._variant = variant
        self.steps = 1 if variant == "single" else STEPS
        self.stop = frozenset[int]() if variant == "single" else quotes(model) | model.ends

    def __call__(self, states: States) -> Readings:
        if self._variant == "single":
            dense, logits = unit(states.hidden[:, 0]), states.logits[:, 0]
            return Readings(dense, logits, np.ones(len(dense), np.int64))
        texts = [self._read(states, row) for row in range(len(states.steps))]
        return Readings(
            unit(np.concatenate([hidden for hidden, _ in texts])),
            np.concatenate([logits for _, logits in texts]),
            np.array([len(hidden) for hidden, _ in texts], np.int64),
        )

    def _read(self, states: States, row: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the k vectors of the text in `row`: hidden states [k, d], logits [k, vocabulary].

        The caller scales the hidden states to length 1.
        """
        steps = used_steps(states.tokens[row, : states.steps[row]], self.stop)
        hidden, logits = states.hidden[row, :steps], states.logits[row, :steps]
        if self._variant == "multi_token_multi":
            return hidden, logits
        if self._variant == "multi_word_multi":
            begins = word_begins(states.tokens[row, :steps], self._opens_word)
            return np.add.reduceat(unit(hidden), begins), np.maximum.reduceat(logits, begins)
        return hidden.mean(axis=0, keepdims=True), logits.max(axis=0, keepdims=True)

    def _opens_word(self, token: int) -> bool:
        # Some tokenizers drop the space when they decode a single token.
        return self._model.piece(token).startswith("▁") or self._model.decode([token])[:1] == " "


def quotes(model: StateModel) -> frozenset[int]:
    """Return the tokens that contain a double quote, and the token <0x22> (the quote as a byte)."""
    pieces = map(model.piece, range(model.vocabulary))
    return frozenset(i for i, piece in enumerate(pieces) if '"' in piece or piece == "<0x22>")


def used_steps(tokens: NDArray[np.int64], stop: AbstractSet[int]) -> int:
    """Return the number of generated tokens that belong to words, at least 1.

    tokens: the generated tokens of one text. The last token does not count if it ended the answer.
    stop:   tokens that end the answer.
    """
    ended = len(tokens) < STEPS or int(tokens[-1]) in stop
    return max(1, len(tokens) - ended)


def word_begins(tokens: NDArray[np.int64], opens_word: Callable[[int], bool]) -> list[int]:
    """Return the indices of tokens that begin a word: the first, and those after a space.

    opens_word: returns True for a token that starts with a space.
    """
    return [i for i, token in enumerate(tokens) if i == 0 or opens_word(int(token))]


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the vectors scaled to length 1. Zero vectors stay zero."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: NDArray[np.float32] = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
    return unit
