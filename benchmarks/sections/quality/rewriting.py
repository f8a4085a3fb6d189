"""The section of quality/rewriting.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import listed, part, set_name, signed, table, whole
from sections.quality.feedback import legs, rows, value

TITLE = "Query rewriting"
MEASURES = ("nDCG@10", "R@100")


def section(figures: dict[str, Any]) -> Iterator[str]:
    queries = ", ".join(f"{one['queries']} of `{set_name(name)}`" for name, one in figures.items())
    yield (
        "A small language model rewrites each query before the search. `fused` searches all legs. "
        f"The queries are the first ones of each set: {queries}. Differences are those to the "
        "plain search of the same legs, with the p-value of a paired randomisation test."
        + clear(figures)
    )
    for measure in MEASURES:
        yield f"{measure}:"
        yield table(
            ["", "", *(f"`{set_name(name)}`" for name in figures)],
            (
                [leg, kind, *(value(one["legs"][leg][kind], measure) for one in legs(figures))]
                for leg, kind in rows(figures)
            ),
        )
    yield (
        "What rewriting costs, as means over the queries of all sets; times are wall-clock medians "
        "on a machine with much other work, and rewritten is the share of queries for which the "
        "model wrote something new. Sets are kept between runs: the time below is that of the last "
        "run."
    )
    yield table(
        ["", "rewritten", "texts", "calls", "tokens read", "tokens written", "searches", "ms"],
        ([kind, *costs(figures, kind)] for kind in next(iter(figures.values()))["costs"]),
    )
    yield "Milliseconds of the search after the rewriting, with all legs:"
    yield table(
        ["", *(f"`{set_name(name)}`" for name in figures)],
        (
            [kind, *(part(one["legs"][leg][kind]["milliseconds"], 2) for one in legs(figures))]
            for leg, kind in rows(figures)
            if leg == "fused"
        ),
    )


CLEAR = 0.05
"""Corrected p-values below this are named."""


def clear(figures: dict[str, Any]) -> str:
    """What remains significant after the correction."""
    found = [
        f"{kind} on {leg} legs of {set_name(name)} ({measure} {signed(test['difference'])})"
        for name, one in figures.items()
        for leg, own in one["legs"].items()
        for kind, system in own.items()
        for measure, test in system.get("tests", {}).items()
        if test.get("corrected", 1.0) < CLEAR
    ]
    better = [text for text in found if "+" in text]
    said = " With Holm's correction over the kinds and legs of a set, "
    if not found:
        return f"{said}no difference is significant."
    told = f"{said}these differences are significant: {listed(found)}."
    return told if better else f"{told} All are losses."


def costs(figures: dict[str, Any], kind: str) -> list[str]:
    """The cells of a kind in the table of costs."""
    every = [(one["costs"][kind], one["queries"]) for one in figures.values()]
    total = sum(count for _, count in every)

    def mean(name: str) -> float:
        return float(sum(own[name] * count for own, count in every) / total)

    return [
        f"{whole(100 * mean('ran'))} %",
        part(mean("texts"), 1),
        part(mean("calls"), 1),
        whole(mean("prompt_tokens")),
        whole(mean("completion_tokens")),
        part(mean("searches"), 1),
        whole(mean("milliseconds")),
    ]
