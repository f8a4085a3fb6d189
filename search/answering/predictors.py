"""Predictors of whether the sources of an answer contain the answer.

From the search, for each leg LEG that ran, over the raw scores of its list; 0 for an empty list:

    LEG.top_score the best score
    LEG.gap       difference of the best two scores, relative to the best; 1 for a single hit
    LEG.nqc       standard deviation of the best 100 scores, relative to the mean of the list
                  (Shtok et al., 2012, who use the score of the whole collection for the mean)
    overlap       share of the best 10 documents that two legs have in common (only if several legs
                  ran; the mean over all pairs)
    rerank_top    the reranker's best score (only after reranking with scores)

From the sources that the generator reads:

    source_coverage      share of the question's content words in all sources, weighted by idf
    source_coverage_best the same for the best run of one to three sentences of one source

idf is that of `twindex.generate.citing.support`: of the sentences of the sources.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from ...core import SearchResult
from ...core.answers import Source
from ...generate.citing.support import Support, Terms
from ..finding.results import FusedResults, Leg

TOP = 10
"""Number of best documents of a leg that `overlap` reads."""

LISTED = 100
"""Number of best scores of a leg that `nqc` reads."""


def predictors(
    question: str,
    fused: FusedResults,
    result: SearchResult,
    sources: Sequence[Source],
    terms: Terms,
) -> dict[str, float]:
    """Return name -> value of the predictors for a question; see the module.

    fused, result: the search for the question.
    sources:       the sources that the generator reads.
    terms:         returns the content words of a text.
    """
    values = {**_of_legs(fused.legs), **_of_sources(question, sources, terms)}
    reranked = [hit.rerank.score for hit in result.hits if hit.rerank is not None]
    if scored := [score for score in reranked if score is not None]:
        values["rerank_top"] = max(scored)
    return values


def _of_legs(legs: Sequence[Leg]) -> dict[str, float]:
    values: dict[str, float] = {}
    best: list[set[int]] = []
    for leg in legs:
        scores = leg.result.scores.astype(np.float64)
        name = leg.request.name
        values[f"{name}.top_score"] = float(scores[0]) if len(scores) else 0.0
        values[f"{name}.gap"] = _gap(scores)
        mean = abs(float(scores.mean())) if len(scores) else 0.0
        values[f"{name}.nqc"] = float(scores[:LISTED].std()) / mean if mean else 0.0
        best.append(set(leg.result.documents[:TOP].tolist()))
    if len(best) > 1:
        values["overlap"] = fmean(
            len(one & other) / max(len(one), len(other)) if one or other else 1.0
            for one, other in combinations(best, 2)
        )
    return values


def _gap(scores: NDArray[np.float64]) -> float:
    if len(scores) == 0 or scores[0] == 0:
        return 0.0
    return 1.0 if len(scores) == 1 else float((scores[0] - scores[1]) / abs(scores[0]))


def _of_sources(question: str, sources: Sequence[Source], terms: Terms) -> dict[str, float]:
    support = Support(sources, terms)
    weights = {term: support.idf(term) for term in terms(question)}
    total = sum(weights.values())
    read = {
        term
        for source in sources
        for term in terms(" ".join((source.title, *source.headings, source.text)))
    }
    numbers = [source.number for source in sources if source.number]
    quotes = [support.quote(number, question).support for number in numbers]
    found = sum(weight for term, weight in weights.items() if term in read)
    return {
        "source_coverage": found / total if total else 0.0,
        "source_coverage_best": max(quotes, default=0.0),
    }
