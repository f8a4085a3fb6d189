"""BM25 with Lucene's formula and exact passage lengths.

    score(q, d) = sum over t in q of  qtf * idf(t) * tf / (tf + k1 * (1 - b + b * |d| / avg))
    idf(t) = ln(1 + (N - df + 0.5) / (df + 0.5))

qtf and tf are the frequencies of term t in the query and in the passage. In an expanded query, qtf
is the weight of t. |d| is the length of the passage, avg the mean length of all passages, N the
number of passages, and df the number of passages that contain t. The model is from Robertson and
Zaragoza 2009. The formula is the variant "Lucene (accurate)" of Kamphuis et al. 2020, "Which BM25
do you mean?".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ...core import InvalidInputError, Representation, TermCounts, TermWeights
from ..protocol import TermStatistics
from .config import LexicalLeg
from .selection import QueryTerms


def idf(passages: int, frequency: int) -> float:
    """Return the inverse document frequency (idf) of a term.

    passages:  number of passages in the leg.
    frequency: number of passages that contain the term.
    """
    return log(1 + (passages - frequency + 0.5) / (frequency + 0.5))


def query_weights(terms: TermWeights, statistics: TermStatistics) -> dict[str, float]:
    """Return the weight of each query term: its frequency (or weight) in the query, times idf."""
    return {
        term: weight * idf(statistics.passages, statistics.document_frequency[term])
        for term, weight in terms.items()
    }


def average_length(statistics: TermStatistics) -> float:
    """Return the mean number of terms in a passage; 1.0 if no passage has terms."""
    return statistics.total_length / statistics.passages if statistics.total_length else 1.0


def length_norms(
    lengths: NDArray[np.int32], average: float, config: LexicalLeg
) -> NDArray[np.float64]:
    """Return k1 * (1 - b + b * |d| / avg) for each passage.

    lengths: |d|, the number of terms of each passage.
    average: avg, the mean number of terms in a passage.
    """
    relative = lengths.astype(np.float64) / average
    return config.k1 * (1 - config.b + config.b * relative)


def weighted(
    terms: TermWeights, statistics: TermStatistics, numbers: Mapping[str, int]
) -> QueryTerms:
    """Return the term numbers (int64) and weights (float32) of a query in one part of a leg.

    A part is a segment or the delta (documents in memory).

    terms:   terms of the query and their frequencies or weights.
    numbers: term -> number of the term in the part. Terms without a number are skipped.
    """
    weights = query_weights(terms, statistics)
    found = [(numbers[term], weight) for term, weight in weights.items() if term in numbers]
    return (
        np.array([number for number, _ in found], dtype=np.int64),
        np.array([weight for _, weight in found], dtype=np.float32),
    )


def term_counts(passages: Representation) -> Sequence[TermCounts]:
    """Return the term frequencies of each passage.

    Raises InvalidInputError if `passages.terms` is None.
    """
    return cast(Sequence[TermCounts], query_terms(passages))


def query_terms(representation: Representation) -> Sequence[TermWeights]:
    """Return the terms of each text with their frequencies or weights.

    Raises InvalidInputError if `representation.terms` is None.
    """
    if representation.terms is None:
        raise InvalidInputError(
            "a lexical leg requires term frequencies: use an encoder that returns terms",
            field="terms",
        )
    return representation.terms
