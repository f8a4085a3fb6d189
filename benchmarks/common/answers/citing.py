"""Citations of questions without known answers: cited documents against the gold passages."""

from __future__ import annotations

import argparse
from typing import Any

from common.answers.asking import opened
from common.answers.rows import ROWS, SINGLE, request_fields, rerankers, search_fields
from common.datasets import DATA

from twindex.core import Query
from twindex.eval import BeirDataset
from twindex.eval.answers.citations import gold_citations
from twindex.eval.answers.running import asked
from twindex.search import Collection

SET = "musique_100"
WAYS = (*SINGLE, "fused", "fused + rerank")
BUDGETS = (5, 20, None)


def citations(options: argparse.Namespace) -> dict[str, Any]:
    """Means over all questions, for the extractive reader."""
    dataset = BeirDataset.open(DATA / SET)
    collection = opened(SET, dataset)
    collection.rerankers = rerankers()
    rows = [
        {"row": name, "k": k, **means(collection, dataset, name, k, options)}
        for name in WAYS
        for k in BUDGETS
    ]
    return {"set": SET, "questions": len(dataset.queries), "rows": rows}


def means(
    collection: Collection,
    dataset: BeirDataset,
    name: str,
    k: int | None,
    options: argparse.Namespace,
) -> dict[str, float]:
    """Citation precision and recall, and the share of the gold passages among the sources."""
    totals = {"precision": 0.0, "recall": 0.0, "sources": 0.0}
    fields = {
        "generator": "extractive",
        "max_tokens": options.max_tokens,
        **request_fields(ROWS[name], k, options.context, 1_000_000),
    }
    for query in dataset.queries:
        gold = {id_ for id_, grade in dataset.qrels[query.id].items() if grade > 0}
        cited, sources = of_answer(collection, query, name, k, fields)
        scores = gold_citations(cited, gold, invalid=0)
        totals["precision"] += scores.precision
        totals["recall"] += scores.recall
        totals["sources"] += len(gold & sources) / len(gold)
    return {key: total / len(dataset.queries) for key, total in totals.items()}


def of_answer(
    collection: Collection, query: Query, name: str, k: int | None, fields: dict[str, Any]
) -> tuple[set[str], set[str]]:
    """The cited documents, and the documents that the reader got."""
    search = {**search_fields(ROWS[name], (), (), query), "limit": max(k or 0, 10)}
    answer = collection.answer(asked(query, {**fields, "search": search}))
    cited = {quote.id for one in answer.citations for quote in one.quotes}
    return cited, {source.id for source in answer.sources}
