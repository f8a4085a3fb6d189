"""The section of quality/languages.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sections.markdown import chance, listed, part, percent, set_name, signed, table, whole

TITLE = "Languages"
MEASURE = "nDCG@10"
NAMES = {"mixed": "both", "mixed, two words": "both, two words of each query"}


def section(figures: dict[str, Any]) -> Iterator[str]:
    systems = list(next(iter(figures.values()))["systems"])
    yield (
        f"{MEASURE} of BM25 by the `language` of the analysis; higher is better. `auto` detects "
        "the language of each document and query, `de,en` one of these two. `both` has the "
        "documents and the queries of both collections. The last row has only the two longest "
        "words of each query."
    )
    yield table(
        [MEASURE, "documents", "queries", *(f"`{system}`" for system in systems)],
        (
            [
                NAMES.get(name, set_name(name)),
                whole(one["documents"]),
                whole(one["queries"]),
                *(part(one["systems"][system]["measures"][MEASURE]) for system in systems),
            ]
            for name, one in figures.items()
        ),
    )
    yield "Differences of `auto`, with the p-value of a paired randomisation test:"
    others = list(next(iter(figures.values()))["tests"])
    yield table(
        ["", *(f"`auto` minus `{other}`" for other in others), "queries analysed in one language"],
        (
            [
                NAMES.get(name, set_name(name)),
                *(
                    f"{signed(one['tests'][other]['difference'])} "
                    f"({chance(one['tests'][other]['p'])})"
                    for other in others
                ),
                percent(one["systems"]["auto"]["single"], 1),
            ]
            for name, one in figures.items()
        ),
    )
    counts = [
        f"{NAMES.get(name, set_name(name))}: {detected(one['systems']['auto']['languages'])}"
        for name, one in figures.items()
        if name != "mixed, two words"
    ]
    yield f"Passages by the language that `auto` detected. {'; '.join(counts)}."


def detected(languages: Mapping[str, int]) -> str:
    """Language -> number of passages, as words."""
    return listed([f"`{code}` {whole(number)}" for code, number in languages.items()])
