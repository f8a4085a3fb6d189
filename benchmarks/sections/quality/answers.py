"""The section of quality/answers.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sections.markdown import chance, part, percent, set_name, signed, table, whole

TITLE = "Answers"
COLUMNS = {
    "match": "right",
    "answer_recall": "answer in sources",
    "citation_precision": "citation precision",
    "citation_recall": "recall",
    "answered wrongly": "answered wrongly",
    "no_answer": "no answer",
}
READERS = {"extractive": "extractive"}
SHARES = (1, 4, 7, 9)
"""Positions of the shown points of a curve."""


def section(figures: dict[str, Any]) -> Iterator[str]:
    yield (
        f"Answers to questions with known short answers. Readers are the extractive generator and "
        f"{figures['llm']}. Every context has at most {whole(figures['context'])} words "
        "(extractive) or tokens of the whole prompt (language model), and every answer at most "
        f"{whole(figures['max_tokens'])}. An answer is right if it contains a gold answer as "
        "adjacent words. Citations are compared with the gold passages. `top of sources` has no "
        "reader: the first words of the sources, as many as the extractive answer has. p is of a "
        "paired randomisation test of `right` against `fused` with the same reader, corrected for "
        "the number of rows (Holm)."
    )
    yield table(
        ["", "reader", "context", "questions", *COLUMNS.values(), "p", "words", "tokens", "p50 ms"],
        (
            cells(name, row, figures["llm"])
            for name, rows in figures["sets"].items()
            for row in rows
        ),
    )
    generated = [
        (name, row)
        for name, rows in figures["sets"].items()
        for row in rows
        if row["reader"] != "extractive" and "union" in row
    ]
    if generated:
        yield (
            "Generate-then-read: the language model first writes a text of at most "
            f"{whole(figures['background_tokens'])} tokens about the question, and reads it alone "
            "(`background`) or in half of the tokens beside the passages (`both`). The budget is "
            "that of the other rows. Recall is the share of the questions with a gold answer in "
            "the passages, in the generated texts, and in any of both. EM and F1 are of SQuAD."
        )
        yield table(
            ["", "context", "recall: passages", "generated", "any", "EM", "F1",
             "citation precision", "citation recall"],
            (
                [
                    set_name(name),
                    row["row"],
                    *(
                        part(row[key])
                        for key in ("answer_recall", "generated", "union", "EM", "F1",
                                    "citation_precision", "citation_recall")
                    ),
                ]
                for name, row in generated
            ),
        )  # fmt: skip
    yield (
        "Accuracy if only the most confident questions are answered. The rule of abstention is "
        "fitted to half of the questions of a set, and measured on the other half, and on the "
        "other sets. Each question is asked with and without its gold passages in the collection. "
        "The normalised area is zero for a random confidence and one for a perfect one."
    )
    points = list(figures["abstention"][0]["curve"])
    shown = [points[position] for position in SHARES]
    yield table(
        ["fitted to", "measured on", "questions", "accuracy", *(percent(float(s)) for s in shown),
         "area", "normalised area"],
        (curve(row, shown) for row in figures["abstention"]),
    )  # fmt: skip


def cells(name: str, row: dict[str, Any], llm: str) -> list[str]:
    p = "" if "p_value" not in row else f"{signed(row['difference'])} ({chance(row['p_value'])})"
    return [
        set_name(name),
        READERS.get(row["reader"], llm),
        row["row"],
        whole(row["questions"]),
        *(part(row[key]) for key in COLUMNS),
        p,
        whole(row["words"]),
        whole(row["tokens"]),
        f"{row['p50']:,.0f}",
    ]


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
