"""The section of quality/feedback.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sections.markdown import chance, part, set_name, signed, table

TITLE = "Feedback"
MEASURES = ("nDCG@10", "R@100")


def section(figures: dict[str, Any]) -> Iterator[str]:
    yield (
        "Pseudo-relevance feedback: each query is expanded from the best documents and searched "
        "again. `fused` searches all legs. A method has its default parameters, and expands the "
        "query in every leg that has the method. Differences are those to the plain search of the "
        "same legs, with the p-value of a paired randomisation test. Times are medians over the "
        "queries, without encoding the query."
    )
    for measure in MEASURES:
        yield f"{measure}:"
        yield table(
            ["", "", *(f"`{set_name(name)}`" for name in figures)],
            (
                [leg, method, *(value(one["legs"][leg][method], measure) for one in legs(figures))]
                for leg, method in rows(figures)
            ),
        )
    yield "Milliseconds for a query:"
    yield table(
        ["", "", *(f"`{set_name(name)}`" for name in figures)],
        (
            [leg, method, *(part(one["legs"][leg][method]["milliseconds"], 2)
                            for one in legs(figures))]
            for leg, method in rows(figures)
        ),
    )  # fmt: skip


def legs(figures: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(figures.values())


def rows(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Legs and methods, in the order of the benchmark."""
    first = next(iter(figures.values()))["legs"]
    return [(leg, method) for leg, own in first.items() for method in own]


def value(system: Mapping[str, Any], measure: str) -> str:
    """A measure, with its difference from the plain search."""
    shown = part(system["measures"][measure])
    test = system.get("tests", {}).get(measure)
    return shown if test is None else f"{shown} ({signed(test['difference'])}, {chance(test['p'])})"
