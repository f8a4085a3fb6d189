"""Predictors of whether the sources of an answer contain the answer.

From the search, for each leg LEG that ran, over the raw scores of its list; 0 for an empty list:

    LEG_top   the best score
    LEG_gap   the best score minus the second best; 0 for a single hit
    LEG_std   standard deviation of the best `TOP` scores (NQC of Shtok et al., 2012, without its
              division by the score of the whole collection)
    agreement mean share of hits that two legs have in common among their best `TOP` (only if
              several legs ran)
    rerank_top the reranker's best score (only after reranking with scores)

From the sources that the generator reads:

    coverage      share of the question's content words in all sources together, weighted by idf
    best_coverage the same for the best run of one to three sentences of one source

idf is that of `twindex.generate.citing.support`: of the sentences of the sources.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from statistics import fmean

from ...core import SearchResult
from ...core.answers import Source
from ...generate.citing.support import Support, Terms
from ..finding.results import FusedResults, Leg

TOP = 10
"""Number of best hits of a leg that the predictors read."""


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
        scores = leg.result.scores[:TOP].astype(float)
        first = float(scores[0]) if len(scores) else 0.0
        name = leg.request.name
        values[f"{name}_top"] = first
        values[f"{name}_gap"] = first - float(scores[1]) if len(scores) > 1 else 0.0
        values[f"{name}_std"] = float(scores.std()) if len(scores) else 0.0
        best.append(set(leg.result.documents[:TOP].tolist()))
    if len(best) > 1:
        values["agreement"] = fmean(
            len(one & other) / (min(len(one), len(other)) or 1)
            for one, other in combinations(best, 2)
        )
    return values


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
        "coverage": found / total if total else 0.0,
        "best_coverage": max(quotes, default=0.0),
    }
