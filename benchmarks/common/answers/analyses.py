"""What the rows of the table say together: who is right alone, who wins, and about what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, median
from typing import Any

from common.answers.tables import FIRST, Measured

from twindex.eval import compare
from twindex.eval.answers import QuestionSet
from twindex.eval.answers.matching import normalize

GENERATED = ("closed book", "generated, greedy", "generated, sampled", "generated, clustered")
UNIONS = ("generated, then fused", "fused, then generated")
BY_TITLE = ("lexical", "sparse", "dense", "fused")


def alone(rows: Sequence[Measured]) -> list[dict[str, Any]]:
    """Shares of the questions that only retrieval, only generation, both or neither gets right."""
    found = []
    by_name = of_model(rows)
    retrieved = by_name.get(("fused", None))
    for name in GENERATED:
        generated = by_name.get((name, None))
        if retrieved is None or generated is None:
            continue
        counts = {"both": 0, "only retrieval": 0, "only generation": 0, "neither": 0}
        for id_, value in retrieved.per_query["match"].items():
            other = generated.per_query["match"][id_]
            key = ("both" if other else "only retrieval") if value else (
                "only generation" if other else "neither"
            )  # fmt: skip
            counts[key] += 1
        total = sum(counts.values())
        found.append({"row": name, **{key: count / total for key, count in counts.items()}})
    return found


def conflicts(rows: Sequence[Measured]) -> list[dict[str, Any]]:
    """Questions that the model answers rightly from one kind of text only, and then from both.

    questions: number of questions that only `right` answers rightly.
    kept:      number of them that are still answered rightly when the model reads both.
    """
    by_name = of_model(rows)
    found = []
    for union in UNIONS:
        three = [by_name.get((name, None)) for name in ("fused", "generated, greedy", union)]
        retrieved, generated, both = ((one and one.per_query["match"]) for one in three)
        if retrieved is None or generated is None or both is None:
            continue
        for name, one, other in (
            ("retrieval", retrieved, generated),
            ("generation", generated, retrieved),
        ):
            ids = [id_ for id_, value in one.items() if value and not other[id_]]
            kept = sum(both[id_] > 0 for id_ in ids)
            found.append({"row": union, "right": name, "questions": len(ids), "kept": kept})
    return found


def against_first_words(rows: Sequence[Measured]) -> dict[str, float]:
    """The extractive reader against as many first words of its sources, on the same questions."""
    by_name = {row.row: row for row in rows if row.reader == "extractive" and row.k is None}
    reader, words = by_name["fused"], by_name[FIRST]
    found = compare(reader.per_query["match"], words.per_query["match"])
    return {
        "reader": reader.values["match"],
        "words": words.values["match"],
        "difference": found.difference,
        "p": found.p_value,
    }


def popularity(
    rows: Sequence[Measured],
    questions: QuestionSet,
    texts: Mapping[str, str],
    titles: Mapping[str, str],
) -> list[dict[str, Any]]:
    """Share of right answers, by how many passages name the title of the gold passage.

    A question is in the head if more passages name its title than name the title of the median
    question, and in the tail otherwise. Only rows with the whole budget are compared.
    """
    padded = [f" {normalize(text)} " for text in texts.values()]
    named = {}
    for question in questions.questions:
        wanted = {normalize(titles[id_].replace("_", " ")) for id_ in questions.gold(question.id)}
        named[question.id] = max(
            (sum(f" {title} " in text for text in padded) for title in wanted if title), default=0
        )
    middle = median(named.values())
    found = []
    for row in rows:
        if row.k is not None or row.row not in (*BY_TITLE, *GENERATED, *UNIONS):
            continue
        parts: dict[str, list[float]] = {"tail": [], "head": []}
        for id_, value in row.per_query["match"].items():
            parts["head" if named[id_] > middle else "tail"].append(value)
        if all(parts.values()):
            shares = {name: [len(part), fmean(part)] for name, part in parts.items()}
            found.append({"row": row.row, "reader": row.reader, "above": middle, **shares})
    return found


def of_model(rows: Sequence[Measured]) -> dict[tuple[str, int | None], Measured]:
    """The rows of the language model, by name and number of texts."""
    return {(row.row, row.k): row for row in rows if row.reader == "model"}
