"""Maximal marginal relevance (MMR): prefers relevant hits that differ from the hits above them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..ask import Meter, Status
from ..core import InvalidInputError
from ..core.bounds import Few, Share
from ..encoders import AnalyzerConfig, LexicalEncoder
from ..index.legs import LEG_NAME
from .config import RERANKERS, RerankerConfig, Shorthand
from .protocol import Budget, Candidate, Needs, Placed, Reranked, Task

DECIMALS = 6
"""Number of decimals to which similarities are rounded. Further digits vary with the order in which
floats are added."""

Similar = Callable[[int], NDArray[np.float64]]
"""Position of a candidate -> its similarity to each of the n candidates, float64 [n] in [0, 1]."""


@RERANKERS.register
class DiversityConfig(RerankerConfig):
    """Maximal marginal relevance (MMR, Carbonell and Goldstein, 1998): prefers relevant hits that
    differ from the hits above them."""

    made_by = ".diversity:DiversityReranker"
    shorthand = Shorthand(argument="leg", shown="LEG")

    kind: Literal["mmr"] = "mmr"
    relevance: Share = 0.7
    """Weight of relevance against novelty, the lambda of the paper: 1 = relevance only."""
    leg: str | None = Field(default=None, pattern=LEG_NAME)
    """Dense leg whose stored vectors are compared; None = the words of the texts are compared."""
    top_k: Few = 10
    """Number of top positions to fill; the other hits keep their order."""
    analyzer: AnalyzerConfig = AnalyzerConfig()
    """How texts are split into words; ignored if `leg` is set."""


class DiversityReranker:
    """Reranks by maximal marginal relevance (Carbonell and Goldstein, "The use of MMR", 1998).

    Each of the first `top_k` positions goes to the hit with the largest

        lambda * relevance - (1 - lambda) * (largest similarity to a hit that is already placed)

    where lambda is the configured `relevance`. A tie goes to the earlier hit. The other hits keep
    their order and are not judged. No model is called.

    Relevance is the candidate's score, scaled from 0 (lowest candidate) to 1 (highest). If all
    scores are equal, relevance is 1 for all. Similarity is the cosine of stored vectors, or of
    tf-idf weights of words. A negative cosine counts as 0. A hit without a vector has similarity 0
    to all others.
    """

    kind = "mmr"

    def __init__(self, config: DiversityConfig) -> None:
        self._config = config
        self._analyzer = LexicalEncoder(config.analyzer)
        self.needs = Needs(vectors=config.leg)

    def rerank(self, tasks: Sequence[Task], budget: Budget | None = None) -> list[Reranked]:
        """Rerank several tasks; see `Reranker.rerank`.

        Raises InvalidInputError if a candidate's score is not a finite number, or if `leg` is
        configured and no candidate has a vector.
        """
        meter = Meter(budget or Budget())
        found = []
        for task in tasks:
            task.guard.check()
            found.append(self._rerank_one(task, meter))
        return found

    def _rerank_one(self, task: Task, meter: Meter[Budget]) -> Reranked:
        total, most = len(task.candidates), meter.budget.candidates
        candidates = task.candidates[:most]
        order: list[Placed] = []
        if candidates and not _is_late(meter):
            order = self._select(candidates, meter)
        taken = {placed.index for placed in order}
        wanted = min(self._config.top_k, total)
        status: Status = "complete"
        if len(order) < wanted or len(candidates) < total:
            status = "partial"
        rest = (Placed(i, judged=False) for i in range(total) if i not in taken)
        return Reranked([*order, *rest], status, seconds=perf_counter() - meter.began)

    def _select(self, candidates: Sequence[Candidate], meter: Meter[Budget]) -> list[Placed]:
        share = self._config.relevance
        relevance = _relevance(candidates)
        similar = self._similar(candidates)
        closest = np.zeros(len(candidates))
        like = np.zeros(len(candidates), np.int64)
        left = np.ones(len(candidates), np.bool_)
        order: list[Placed] = []
        while len(order) < min(self._config.top_k, len(candidates)) and not _is_late(meter):
            values = np.where(left, share * relevance - (1 - share) * closest, -np.inf)
            best = int(values.argmax())
            reasons: dict[str, Any] = {
                "relevance": float(relevance[best]),
                "similarity": float(closest[best]),
            }
            if closest[best] > 0:
                reasons["like"] = candidates[like[best]].id
            order.append(Placed(best, float(values[best]), reasons))
            left[best] = False
            now = similar(best)
            like[now > closest] = best
            closest = np.maximum(closest, now)
        return order

    def _similar(self, candidates: Sequence[Candidate]) -> Similar:
        if self._config.leg is None:
            words = self._words(candidates)
            return lambda i: _cosine(words @ words[[i]].toarray()[0])
        vectors = _vectors(candidates, self._config.leg)
        return lambda i: _cosine(vectors @ vectors[i])

    def _words(self, candidates: Sequence[Candidate]) -> Any:
        """Return tf-idf weights of the n candidates' texts: a csr_array of float64 [n, terms].

        The weight of a term that occurs tf times in the text and in df of the n texts is
        (1 + ln tf) * (1 + ln((1 + n) / (1 + df))). Rows are scaled to length 1; the row of a text
        without words is zero.
        """
        from scipy.sparse import csr_array  # A slow import.

        texts = [candidate.read(self._config.text) for candidate in candidates]
        rows = self._analyzer.encode(texts, role="document").terms or []
        known = Counter(term for row in rows for term in row)
        numbers = {term: number for number, term in enumerate(known)}
        frequency = np.fromiter(known.values(), np.float64, len(known))
        rarity = 1 + np.log((1 + len(rows)) / (1 + frequency))
        sizes = [len(row) for row in rows]
        columns = np.fromiter((numbers[term] for row in rows for term in row), np.int64, sum(sizes))
        counts = np.fromiter((n for row in rows for n in row.values()), np.float64, sum(sizes))
        weights = (1 + np.log(counts)) * rarity[columns]
        owners = np.repeat(np.arange(len(rows)), sizes)
        lengths = np.sqrt(np.bincount(owners, weights**2, minlength=len(rows)))
        starts = np.concatenate([[0], np.cumsum(sizes)])
        shape = (len(rows), max(1, len(known)))
        return csr_array((weights / lengths[owners], columns, starts), shape=shape)


def _relevance(candidates: Sequence[Candidate]) -> NDArray[np.float64]:
    """Return the candidates' scores, scaled from 0 (lowest) to 1 (highest): float64 [n].

    Raises InvalidInputError if a score is not a finite number.
    """
    scores = np.array([candidate.score for candidate in candidates], np.float64)
    if not np.isfinite(scores).all():
        wrong = int(np.flatnonzero(~np.isfinite(scores))[0])
        raise InvalidInputError(
            f"must be a finite number, got {scores[wrong]}", field=f"candidates[{wrong}].score"
        )
    low, high = scores.min(), scores.max()
    # Halved, so that the difference of two large numbers does not overflow.
    span = high / 2 - low / 2
    return (scores / 2 - low / 2) / span if span > 0 else np.ones(len(scores))


def _vectors(candidates: Sequence[Candidate], leg: str) -> NDArray[np.float64]:
    """Return the vectors of n candidates, scaled to length 1: float64 [n, dimensions].

    leg: name of the leg that stores the vectors, for the error.

    A candidate without a vector gets a row of zeros. Raises InvalidInputError if no candidate has a
    vector.
    """
    known = [candidate.vector for candidate in candidates if candidate.vector is not None]
    if not known:
        raise InvalidInputError(
            f"no candidate has a vector of leg {leg!r}; set `Candidate.vector`, or set `leg` to "
            "None to compare words",
            field="leg",
        )
    none = np.zeros(len(known[0]))
    rows = np.array([none if one.vector is None else one.vector for one in candidates], np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: NDArray[np.float64] = rows / np.where(lengths > 0, lengths, 1)
    return unit


def _cosine(found: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(found, 0, 1).round(DECIMALS)


def _is_late(meter: Meter[Budget]) -> bool:
    return meter.deadline is not None and perf_counter() > meter.deadline
