"""Ranked texts without a reader: answers among the best k, and nDCG@10."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cache
from statistics import median
from time import process_time
from typing import Any

from common.answers.asking import Asking
from common.answers.rows import ROWS, Row, search_fields
from common.answers.texts import Written, kept

from twindex.core import Query
from twindex.eval import evaluate
from twindex.eval.answers import QuestionSet
from twindex.eval.answers.matching import contains_answer
from twindex.rerank import Candidate, Reranker, load_reranker, rerank_one
from twindex.rerank.spec import parse_spec
from twindex.search import Collection

DEPTHS = (1, 5, 20)
MEASURE = "nDCG@10"


def ranked(
    collection: Collection, row: Row, question: Query, gold: Sequence[str], ids: Sequence[str]
) -> tuple[list[str], dict[str, float], float]:
    """The best texts of a search, the scores of their documents, and its CPU milliseconds."""
    began = process_time()
    fields = search_fields(row, gold, ids, question)
    found = collection.search(question.text, limit=max(DEPTHS), include=["text"], **fields)
    texts = [hit.document.text for hit in found.hits if hit.document is not None]
    # A reranker has changed the order, which the scores of the search do not show.
    scores = {hit.id: float(-place) for place, hit in enumerate(found.hits)}
    return texts, scores, (process_time() - began) * 1e3


def together(question: str, texts: Sequence[str]) -> list[str]:
    """Texts in the order of MaxSim, with the encoder of the row `late`."""
    candidates = [Candidate(str(place), text) for place, text in enumerate(texts)]
    found = rerank_one(reranker(), question, candidates)
    return [texts[placed.index] for placed in found.order]


@cache
def reranker() -> Reranker:
    return load_reranker(parse_spec("late"))


def lists(
    collection: Collection,
    questions: QuestionSet,
    ids: Sequence[str],
    generated: Mapping[str, Mapping[str, Written]],
    row: Row,
) -> dict[str, Any]:
    """The figures of a row. generated: way -> text of a question -> texts."""
    hits = dict.fromkeys(DEPTHS, 0)
    run, times = {}, []
    for question in questions.questions:
        texts: list[str] = []
        if row.written is None or row.combine is not None:
            gold = sorted(questions.gold(question.id))
            texts, run[question.id], spent = ranked(collection, row, question, gold, ids)
            times.append(spent)
        if row.written is not None:
            own = list(generated[row.written][question.text].texts)
            texts = [*texts, *own] if row.combine == "retrieved_first" else [*own, *texts]
            if row.combine == "together":
                texts = together(question.text, texts)
        answers = questions.answers[question.id]
        for depth in DEPTHS:
            hits[depth] += any(contains_answer(text, answers) for text in texts[:depth])
    count = len(questions.questions)
    searched = bool(run) and row.written is None
    known = {question.id: questions.qrels[question.id] for question in questions.questions}
    return {
        "row": row.name,
        "questions": count,
        **{f"@{depth}": hits[depth] / count for depth in DEPTHS},
        "nDCG@10": evaluate(run, known, [MEASURE]).measures[MEASURE] if searched else None,
        "ms": median(times) if times else None,
    }


def all_lists(asking: Asking, few: QuestionSet) -> list[dict[str, Any]]:
    """Rows without a model on all questions, and all rows on the few that a model wrote for."""

    def measured(row: Row, questions: QuestionSet) -> dict[str, Any]:
        ids = [question.id for question in questions.questions]
        texts = {way: {text: list(one.texts) for text, one in asking.written[way].items()}
                 for way in (row.written, row.query) if way}  # fmt: skip
        made = [asking.name, dataclasses.asdict(row), ids, texts]

        def measure() -> dict[str, Any]:
            asking.prepare(row)
            return lists(asking.collection, questions, asking.ids, asking.written, row)

        found: dict[str, Any] = kept("list", made, measure)
        return found

    plain = [
        row for row in ROWS.values() if not row.needs_model and "distractors" not in row.source
    ]
    found = [measured(row, asking.questions) for row in plain]
    if asking.written:
        more = [row for row in ROWS.values() if row.written or row.query]
        chosen = [ROWS[name] for name in ("lexical", "dense", "fused")] + more
        found += [measured(row, few) for row in chosen]
    return found
