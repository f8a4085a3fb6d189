"""The section of quality/extractive.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sections.markdown import chance, part, set_name, signed, table, whole

TITLE = "Extractive answers"
CLEAR = 0.05
"""With a larger p-value, the reader is not significantly better."""


def section(figures: dict[str, Any]) -> Iterator[str]:
    rows = figures["rows"]
    yield (
        "The extractive reader against as many first words of what it reads: of the best passage "
        "alone, and of all its passages. The passages are those that a search finds, with at most "
        f"{whole(figures['context'])} words. `fused` is BM25 and the default dense encoder. An "
        "answer is right if it contains a gold answer as adjacent words. The constants of the "
        "reader were fitted to the development halves of all sets together, and no question of "
        "the test halves was looked at for it. p is of paired randomisation tests, with Holm's "
        "correction over all comparisons of a half. Milliseconds are the median of choosing the "
        "sentences and finding the quotes."
    )
    for half in ("test", "development"):
        yield f"The {half} halves:"
        yield table(
            ["", "search", "sentences", "questions", "words", "reader",
             "top hit", "difference", "p", "all sources", "difference", "p", "ms"],
            (cells(row) for row in rows if row["half"] == half),
        )  # fmt: skip
    unclear = [
        f"{set_name(row['set'])}, {row['search']}, {whole(row['sentences'])}, against {label}"
        for row in rows
        for label, one in row["first"].items()
        if row["half"] == "test" and not is_better(one)
    ]
    if unclear:
        yield (
            "On the test halves, the reader is not significantly better here (set, search, "
            f"sentences): {'; '.join(unclear)}."
        )
    else:
        yield "On the test halves, the reader is significantly better in every comparison."


def cells(row: Mapping[str, Any]) -> list[str]:
    found = [set_name(row["set"]), row["search"], whole(row["sentences"]), whole(row["questions"])]
    found += [whole(row["words"]), part(row["reader"])]
    for one in row["first"].values():
        found += [part(one["right"]), signed(one["difference"]), chance(one["p"])]
    return [*found, part(row["ms"], 1)]


def is_better(one: Mapping[str, float]) -> bool:
    return one["difference"] > 0 and one["p"] < CLEAR
