"""Sparse vectors of PromptReps: which tokens have weights in a text, and how large they are."""

from __future__ import annotations

import string
from collections.abc import Sequence
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ..core import ConfigError
from ..llm import StateModel
from .lexical.languages import stopwords, with_stopwords
from .lexical.words import words

SCALE = 100
FALLBACK_TERMS = 10

CACHED_WORDS = 500_000
MAX_CACHED_WORD = 64


class OwnTerms:
    """Finds the tokens of a text's words, without stopwords and punctuation. Thread-safe.

    Each word is tokenised separately, without a space before it. So a word may have different
    tokens here than when the whole text is tokenised.
    """

    def __init__(self, model: StateModel, language: str) -> None:
        self._model = model
        self._left_out = frozenset(string.punctuation) | stoplist(language)
        self._known: dict[str, list[int]] = {}
        self._lock = Lock()

    def of(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """Return for each text the token ids of its words, ascending and without duplicates."""
        chosen = [set(words(text)) - self._left_out for text in texts]
        tokens = self._tokens(set().union(*chosen))
        found = [set[int]().union(*(tokens[word] for word in own)) for own in chosen]
        return [np.array(sorted(ids), np.int64) for ids in found]

    def _tokens(self, wanted: set[str]) -> dict[str, list[int]]:
        """Return word -> its token ids. They are cached for words that were seen before."""
        with self._lock:
            tokens = {word: self._known[word] for word in wanted if word in self._known}
        new = sorted(wanted - tokens.keys())
        tokens.update(zip(new, self._model.tokenize(new), strict=True))
        with self._lock:
            if len(self._known) + len(new) > CACHED_WORDS:
                self._known.clear()
            self._known.update({w: tokens[w] for w in new if len(w) <= MAX_CACHED_WORD})
        return tokens


def stoplist(language: str) -> frozenset[str]:
    """Return the stopwords of a language, or an empty set for "none".

    Raises ConfigError if there is no list for the language.
    """
    if language == "none":
        return frozenset()
    if found := stopwords(language):
        return found
    raise ConfigError(
        f"no stopword list for {language!r}: choose one of {', '.join(with_stopwords())}, or "
        '"none" to keep all words',
        field="language",
    )


def clean_tokens(model: StateModel) -> NDArray[np.bool_]:
    """Return a mask of the tokens that may be used for expansion: bool [vocabulary].

    Such a token consists of letters, of which the first is a lower-case a to z. One "▁" or space
    may precede the letters. A token that begins with "Ġ" (a space in byte-level vocabularies) may
    not be used.
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
    """Return m sparse vectors with the weights rint(100 * log(1 + relu(logit))), without zeros.

    logits:    float32 [m, vocabulary].
    terms:     for each vector, the ids of the tokens of the text's own words, ascending. If there
               are none, the 10 tokens of the vocabulary with the largest logits replace them.
    top:       maximum number of own tokens kept: those with the largest logits.
    expansion: maximum number of other tokens added: those with the largest logits.
    clean:     mask of the tokens that may be added: bool [vocabulary].

    If logits are equal, tokens with lower ids are kept. Returns CSR float32 [m, vocabulary] with
    integer values.
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
    """Return the `count` tokens with the largest logits out of `tokens`.

    logits: the logit of every token of the vocabulary.
    tokens: token ids, ascending. The result is ascending too.
    """
    if len(tokens) <= count:
        return tokens
    values = logits[tokens]
    floor = np.partition(values, -count)[-count]
    above, equal = tokens[values > floor], tokens[values == floor]
    return np.sort(np.concatenate([above, equal[: count - len(above)]]))
