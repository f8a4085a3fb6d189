"""Predictors of whether the sources of an answer contain the answer.

From the search, for each leg LEG that ran: LEG.top_score, LEG.gap and LEG.nqc; and `overlap` if
several legs ran. `twindex.search.predictors` computes and describes them. Also:

    rerank_top    the reranker's best score (only after reranking with scores)

From the passages that the generator reads; generated texts are not counted:

    source_coverage      share of the question's content words in all sources, weighted by idf
    source_coverage_best the same for the best run of one to three sentences of one source

idf is computed over the sentences of the sources, as in `twindex.generate.citing.support`. Stored
rules of abstention contain these names, so their meaning does not change.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...core import SearchResult
from ...core.answers import Source
from ...generate.abstention import OF_LEG
from ...generate.citing.support import Support, Terms
from ..finding.results import FusedResults, Leg
from ..predictors import agreement, scores
from ..predictors.texts import covered


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
    for leg in legs:
        own = leg.result.scores.astype(np.float64)
        found = (float(own[0]) if len(own) else 0.0, scores.gap(own), scores.nqc(own))
        values |= {
            f"{leg.request.name}.{name}": one for name, one in zip(OF_LEG, found, strict=True)
        }
    if len(legs) > 1:
        values["overlap"] = agreement.mean_overlap([leg.result.documents.tolist() for leg in legs])
    return values


def _of_sources(question: str, sources: Sequence[Source], terms: Terms) -> dict[str, float]:
    own = [source for source in sources if source.kind == "document"]
    support = Support(own, terms)
    weights = {term: support.idf(term) for term in terms(question)}
    read = {
        term
        for source in own
        for term in terms(" ".join((source.title, *source.headings, source.text)))
    }
    quotes = [support.quote(source.number, question).support for source in own]
    return {
        "source_coverage": covered(weights, read),
        "source_coverage_best": max(quotes, default=0.0),
    }
