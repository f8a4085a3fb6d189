"""The terms of a text among a language model's vocabulary, and the weights that they get."""

from __future__ import annotations

import string
from collections.abc import Sequence
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ..core import ConfigError
from ..llm import StateModel
from .lexical.encoder import languages, stopwords
from .words import words

SCALE = 100
FALLBACK_TERMS = 10

CACHED_WORDS = 500_000
MAX_CACHED_WORD = 64


class OwnTerms:
    """Finds the tokens of a text's words, stopwords and punctuation left out. Thread-safe.

    Each word is tokenised by itself, without a space before it, so a term may be a piece that the
    text as a whole is not cut into.
    """

    def __init__(self, model: StateModel, language: str) -> None:
        self._model = model
        self._left_out = frozenset(string.punctuation) | stoplist(language)
        self._known: dict[str, list[int]] = {}
        self._lock = Lock()

    def of(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """The tokens of each text, ascending."""
        chosen = [set(words(text)) - self._left_out for text in texts]
        tokens = self._tokens(set().union(*chosen))
        found = [set[int]().union(*(tokens[word] for word in own)) for own in chosen]
        return [np.array(sorted(ids), np.int64) for ids in found]

    def _tokens(self, asked: set[str]) -> dict[str, list[int]]:
        with self._lock:
            tokens = {word: self._known[word] for word in asked if word in self._known}
        new = sorted(asked - tokens.keys())
        tokens.update(zip(new, self._model.tokenize(new), strict=True))
        with self._lock:
            if len(self._known) + len(new) > CACHED_WORDS:
                self._known.clear()
            self._known.update({w: tokens[w] for w in new if len(w) <= MAX_CACHED_WORD})
        return tokens


def stoplist(language: str) -> frozenset[str]:
    """The stopwords of a language. Raises ConfigError where there is no list of them."""
    if language == "none":
        return frozenset()
    if found := stopwords(language):
        return found
    listed = ", ".join(code for code in languages() if stopwords(code))
    raise ConfigError(
        f"there is no list of stopwords for {language!r}; there is one for {listed}, "
        'and "none" keeps all words',
        field="language",
    )


def clean_tokens(model: StateModel) -> NDArray[np.bool_]:
    """Tokens fit for expansion: bool [vocabulary].

    Pieces of letters only that begin with a to z, after a leading "▁" or space. Where spaces are
    marked by "Ġ" (byte-level vocabularies), only pieces that continue or open a text are left.
    """
    clean = np.zeros(model.vocabulary, np.bool_)
    for token in range(model.vocabulary):
        piece = model.piece(token)
        piece = piece[1:] if piece[:1] in ("▁", " ") else piece
        clean[token] = piece.isalpha() and "a" <= piece[0] <= "z"
    return clean


def weigh(
    logits: NDArray[np.float32],
    terms: Sequence[NDArray[np.int64]],
    *,
    top: int,
    expansion: int = 0,
    clean: NDArray[np.bool_] | None = None,
) -> csr_array:
    """Sparse vectors of weights rint(100 * log(1 + relu(logit))), those of zero left out.

    logits:    float32 [m, vocabulary].
    terms:     of each row the text's own tokens, ascending; where there are none, the 10 largest
               logits of the vocabulary are taken.
    top:       so many of the own terms are kept, those of the largest logits.
    expansion: so many of the `clean` tokens are added that are not the text's own.

    Of equal logits the lower token comes first. Returns CSR float32 [m, vocabulary] of integers.
    """
    every = np.arange(logits.shape[1])
    rows = [
        _largest(row, own, top) if len(own) else _largest(row, every, FALLBACK_TERMS)
        for row, own in zip(logits, terms, strict=True)
    ]
    if expansion and clean is not None:
        for number, own in enumerate(terms):
            others = clean.copy()
            others[own] = False
            added = _largest(logits[number], np.flatnonzero(others), expansion)
            rows[number] = np.union1d(rows[number], added)
    counts = [len(row) for row in rows]
    columns = np.concatenate([np.empty(0, np.int64), *rows])
    values = logits[np.repeat(np.arange(len(rows)), counts), columns]
    weights = np.rint(SCALE * np.log1p(np.maximum(values, 0)))
    indptr = np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))
    found = csr_array((weights, columns, indptr), shape=logits.shape)
    found.eliminate_zeros()
    return found


def _largest(
    logits: NDArray[np.float32], tokens: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """Of some tokens (ascending) those with the largest logits, ascending."""
    if len(tokens) <= count:
        return tokens
    values = logits[tokens]
    floor = np.partition(values, -count)[-count]
    above, equal = tokens[values > floor], tokens[values == floor]
    return np.sort(np.concatenate([above, equal[: count - len(above)]]))
