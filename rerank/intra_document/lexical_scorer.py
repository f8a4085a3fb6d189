"""BM25 scores of windows: a cheap scorer that needs no training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ...core import Passage
from ...encoders import AnalyzerConfig, LexicalEncoder
from ...index import LexicalLeg
from ...index.inverted.bm25 import idf, length_norms


@dataclass(frozen=True, slots=True)
class Postings:
    """Posting lists of one document: for each term, the windows in which the term occurs.

    terms:   int64 [terms], hashes of the terms, ascending.
    starts:  int32 [terms + 1], start of each term's posting list in `windows` and `counts`.
    windows: int32 [postings], position of the posting's window in the document, from 0.
    counts:  int32 [postings], frequency of the term in this window.
    lengths: int32 [windows], number of terms in each window.
    """

    terms: NDArray[np.int64]
    starts: NDArray[np.int32]
    windows: NDArray[np.int32]
    counts: NDArray[np.int32]
    lengths: NDArray[np.int32]

    @property
    def nbytes(self) -> int:
        return sum(getattr(self, name).nbytes for name in self.__slots__)

    def postings(self, term: int) -> slice:
        """Return where the posting list of a term lies in `windows` and `counts`.

        term: hash of the term. The slice is empty if the term does not occur.
        """
        position = int(np.searchsorted(self.terms, term))
        if position == len(self.terms) or self.terms[position] != term:
            return slice(0, 0)
        return slice(int(self.starts[position]), int(self.starts[position + 1]))


class LexicalScorer:
    """Scores windows by BM25; see `index.inverted.bm25`.

    Each window counts as a document. Document frequencies and the average length are computed over
    the windows of all candidates of the query. Terms are identified by hashes of 64 bits.
    """

    def __init__(self, analyzer: AnalyzerConfig | None = None) -> None:
        analyzer = analyzer or AnalyzerConfig()
        self._config = LexicalLeg(encoder=analyzer)
        self._analyzer = LexicalEncoder(analyzer)

    def prepare(self, text: str, windows: Sequence[Passage]) -> Postings:
        pieces = [text[window.start : window.end] for window in windows]
        rows = self._analyzer.encode(pieces, role="document").terms or []
        hashes = np.fromiter((hash(term) for row in rows for term in row), np.int64)
        counts = np.fromiter((count for row in rows for count in row.values()), np.int32)
        numbers = np.repeat(np.arange(len(rows), dtype=np.int32), [len(row) for row in rows])
        terms, numbers_of_terms = np.unique(hashes, return_inverse=True)
        order = np.argsort(numbers_of_terms, kind="stable")
        starts = np.zeros(len(terms) + 1, np.int32)
        np.cumsum(np.bincount(numbers_of_terms, minlength=len(terms)), out=starts[1:])
        lengths = np.array([sum(row.values()) for row in rows], np.int32)
        return Postings(terms, starts, numbers[order], counts[order], lengths)

    def scores(
        self, query: str, documents: Sequence[Postings], deadline: float | None = None
    ) -> list[NDArray[np.float32]]:
        (row,) = self._analyzer.encode([query], role="query").terms or [{}]
        query_terms = [(hash(term), count) for term, count in row.items()]
        found = [[document.postings(term) for term, _ in query_terms] for document in documents]
        windows = sum(len(document.lengths) for document in documents)
        total = sum(int(document.lengths.sum()) for document in documents)
        average = total / windows if total else 1.0
        weights = [
            count * idf(windows, sum(part[i].stop - part[i].start for part in found))
            for i, (_, count) in enumerate(query_terms)
        ]
        scored: list[NDArray[np.float32]] = []
        for document, parts in zip(documents, found, strict=True):
            if deadline is not None and perf_counter() > deadline:
                break
            norms = length_norms(document.lengths, average, self._config)
            scores = np.zeros(len(document.lengths))
            for weight, part in zip(weights, parts, strict=True):
                at, count = document.windows[part], document.counts[part]
                scores[at] += weight * count / (count + norms[at])
            scored.append(scores.astype(np.float32))
        return scored
