"""From the states of a language model to vectors: the variants of PromptReps.

A model that goes on after the prompt writes words and then a closing quote. Step i is the state
from which token i was chosen; it stands for that token.
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
"""Most tokens that the variants of several tokens look at."""


@dataclass(frozen=True, slots=True)
class Readings:
    """The vectors of n texts, one text after the other.

    dense:  float32 [m, d], each of length 1.
    logits: float32 [m, vocabulary].
    counts: int64 [n], vectors of each text, at least one; m in sum.
    """

    dense: NDArray[np.float32]
    logits: NDArray[np.float32]
    counts: NDArray[np.int64]


class Reader:
    """Reads states by one variant. `steps` and `stop` are what the model has to be asked with."""

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
        """Of one text: hidden states [k, d], not scaled yet, and logits [k, vocabulary]."""
        steps = used_steps(states.tokens[row, : states.steps[row]], self.stop)
        hidden, logits = states.hidden[row, :steps], states.logits[row, :steps]
        if self._variant == "multi_token_multi":
            return hidden, logits
        if self._variant == "multi_word_multi":
            begins = word_begins(states.tokens[row, :steps], self._opens_word)
            return np.add.reduceat(unit(hidden), begins), np.maximum.reduceat(logits, begins)
        return hidden.mean(axis=0, keepdims=True), logits.max(axis=0, keepdims=True)

    def _opens_word(self, token: int) -> bool:
        # Some tokenizers drop the space when a token is decoded alone.
        return self._model.piece(token).startswith("▁") or self._model.decode([token])[:1] == " "


def quotes(model: StateModel) -> frozenset[int]:
    """The tokens that contain a double quote, as a byte too."""
    pieces = map(model.piece, range(model.vocabulary))
    return frozenset(i for i, piece in enumerate(pieces) if '"' in piece or piece == "<0x22>")


def used_steps(tokens: NDArray[np.int64], stop: AbstractSet[int]) -> int:
    """How many of the steps that chose these tokens stand for words; step 0 always does."""
    ended = len(tokens) < STEPS or int(tokens[-1]) in stop
    return max(1, len(tokens) - ended)


def word_begins(tokens: NDArray[np.int64], opens_word: Callable[[int], bool]) -> list[int]:
    """Where words begin: at the first token, and at each that starts with a space."""
    return [i for i, token in enumerate(tokens) if i == 0 or opens_word(int(token))]


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each vector at length 1; zero stays zero."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: NDArray[np.float32] = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
    return unit
