"""BM25 as Lucene computes it, with the exact length of every passage.

    score(q, d) = sum over t in q of  qtf * idf(t) * tf / (tf + k1 * (1 - b + b * |d| / avg))
    idf(t) = ln(1 + (N - df + 0.5) / (df + 0.5))

Robertson and Zaragoza 2009 for the model; Kamphuis et al. 2020, "Which BM25 do you mean?",
variant "Lucene (accurate)", for this form of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log

import numpy as np
from numpy.typing import NDArray

from ...core import InvalidInputError, Representation, TermCounts
from ..protocol import TermStatistics
from .config import LexicalLeg
from .selection import QueryTerms


def idf(passages: int, frequency: int) -> float:
    """Weight of a term that `frequency` of `passages` passages contain."""
    return log(1 + (passages - frequency + 0.5) / (frequency + 0.5))


def query_weights(counts: TermCounts, statistics: TermStatistics) -> dict[str, float]:
    """term -> qtf * idf."""
    return {
        term: count * idf(statistics.passages, statistics.document_frequency[term])
        for term, count in counts.items()
    }


def average_length(statistics: TermStatistics) -> float:
    """Mean number of terms in a passage; 1 if there are none, when nothing depends on it."""
    return statistics.total_length / statistics.passages if statistics.total_length else 1.0


def length_norms(
    lengths: NDArray[np.int32], average: float, config: LexicalLeg
) -> NDArray[np.float64]:
    """k1 * (1 - b + b * |d| / avg)."""
    relative = lengths.astype(np.float64) / average
    return config.k1 * (1 - config.b + config.b * relative)


def weighted(
    counts: TermCounts, statistics: TermStatistics, numbers: Mapping[str, int]
) -> QueryTerms:
    """The terms of a query that a part has, by their numbers there, and their weights."""
    weights = query_weights(counts, statistics)
    found = [(numbers[term], weight) for term, weight in weights.items() if term in numbers]
    return (
        np.array([number for number, _ in found], dtype=np.int64),
        np.array([weight for _, weight in found], dtype=np.float32),
    )


def term_counts(representation: Representation) -> Sequence[TermCounts]:
    """The analysed terms of a batch."""
    if representation.terms is None:
        raise InvalidInputError("a lexical leg needs analysed text", field="terms")
    return representation.terms
