"""The section of quality/answers.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sections.markdown import chance, part, percent, set_name, signed, table, whole
from sections.quality.answer_texts import texts_section

TITLE = "Answers"
COLUMNS = {
    "match": "right",
    "F1": "F1",
    "answer_recall": "answer in sources",
    "citation_precision": "citation precision",
    "citation_recall": "recall",
    "answered_wrongly": "answered wrongly",
    "no_answer": "no answer",
}
SHARES = (1, 4, 7, 9)
"""Positions of the shown points of a curve."""


def section(figures: dict[str, Any]) -> Iterator[str]:
    sets = {name: rows_of(one) for name, one in figures["sets"].items()}
    yield (
        f"Answers to questions with known short answers. Readers are the extractive generator and "
        f"{figures['llm']}. An answer is right if it contains a gold answer as adjacent words; it "
        f"has at most {whole(figures['max_tokens'])} words or tokens. Citations are compared with "
        "the gold passages. `late` is MaxSim of the token vectors of the dense encoder, which was "
        "not trained for it: no installed package has weights of a late-interaction encoder. "
        "`fused + rerank` orders the best hundred passages of `fused` by `late`. The docstring of "
        "the benchmark explains the rows. p is of paired randomisation tests of `right` against "
        "the best single leg with the same reader and questions, with Holm's correction over the "
        "rows and over the measures `right` and F1 of a reader and set. Milliseconds are CPU time, "
        "without that of writing the generated texts, whose calls and tokens are counted. Each "
        "question is encoded once, so only the rows of single legs include that time. Answers are "
        "kept between runs: the time below is that of the last run. EM of SQuAD is at most "
        f"{part(max(row['EM'] for rows in sets.values() for row in rows))} in every row, "
        "because answers are sentences."
    )
    for name, rows in sets.items():
        for reader, label in (("extractive", "extractive"), ("model", figures["llm"])):
            own = [row for row in rows if row["reader"] == reader and row["k"] is None]
            if not own:
                continue
            unit = "words" if reader == "extractive" else "tokens of the whole prompt"
            yield (
                f"{set_name(name)}, {label}; every context has at most {whole(figures['context'])} "
                f"{unit}:"
            )
            yield table(
                ["context", "questions", *COLUMNS.values(), "against", "p", "calls", "tokens",
                 "p50 ms", "p95 ms"],
                (cells(row) for row in own),
            )  # fmt: skip
        if left_out := figures["sets"][name]["left_out"]:
            yield f"Rows of {figures['llm']} that were not measured: {', '.join(left_out)}."
    yield from by_number(sets, figures["llm"])
    yield from texts_section(figures, sets)
    yield from abstention(figures["abstention"])


def rows_of(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a set, by the names of their columns."""
    return [dict(zip(figures["columns"], row, strict=True)) for row in figures["rows"]]


def cells(row: dict[str, Any]) -> list[str]:
    compared = row["difference"] is not None
    return [
        row["row"],
        whole(row["questions"]),
        *(part(row[key]) for key in COLUMNS),
        f"{row['base']} {signed(row['difference'])}" if compared else "",
        chance(row["p"]) if compared else "",
        part(row["calls"], 1),
        whole(row["tokens"]),
        whole(row["p50"]),
        whole(row["p95"]),
    ]


def by_number(sets: dict[str, list[dict[str, Any]]], llm: str) -> Iterator[str]:
    """The rows with a fixed number of texts."""
    yield (
        "The same number of texts instead of the same budget: share of right answers, with the p "
        "of the test against the best single leg where it is below one in twenty."
    )
    for reader, label in (("extractive", "extractive"), ("model", llm)):
        counts = sorted(
            {row["k"] for rows in sets.values() for row in rows
             if row["reader"] == reader and row["k"] is not None}
        )  # fmt: skip
        names = list(
            dict.fromkeys(
                row["row"] for rows in sets.values() for row in rows
                if row["reader"] == reader and row["k"] is not None
            )
        )  # fmt: skip
        if not counts:
            continue
        yield table(
            [label, *(f"{set_name(name)}, {k}" for name in sets for k in counts)],
            (
                [name, *(right(rows, reader, name, k) for rows in sets.values() for k in counts)]
                for name in names
            ),
        )


def right(rows: Sequence[dict[str, Any]], reader: str, name: str, k: int) -> str:
    for row in rows:
        if (row["reader"], row["row"], row["k"]) == (reader, name, k):
            clear = row["p"] is not None and row["p"] < CLEAR
            return part(row["match"]) + (f" ({chance(row['p'])})" if clear else "")
    return ""


CLEAR = 0.05
"""Larger p-values are not shown beside the shares of right answers."""


def abstention(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    yield (
        "Accuracy if only the most confident questions are answered. The rule of abstention is "
        "fitted to half of the questions of a set, and measured on the other half, and on the "
        "other sets. Each question is asked with and without its gold passages in the collection. "
        "The normalised area is zero for a random confidence and one for a perfect one."
    )
    points = list(rows[0]["curve"])
    shown = [points[position] for position in SHARES]
    yield table(
        ["fitted to", "measured on", "questions", "accuracy", *(percent(float(s)) for s in shown),
         "area", "normalised area"],
        (curve(row, shown) for row in rows),
    )  # fmt: skip
    yield "Share of the questions that the fitted rule answers:"
    yield table(
        ["fitted to", "measured on", "with gold passages", "without them"],
        (
            [
                set_name(row["fitted"]),
                set_name(row["set"]),
                percent(row["answered with gold"]),
                percent(row["answered without gold"]),
            ]
            for row in rows
            if "answered with gold" in row
        ),
    )


def curve(row: dict[str, Any], shown: Sequence[str]) -> list[str]:
    return [
        set_name(row["fitted"]),
        set_name(row["set"]),
        row["questions"],
        row["accuracy"],
        *(part(row["curve"][share]) for share in shown),
        part(row["area"]),
        "" if row["nauc"] is None else part(row["nauc"]),
    ]
