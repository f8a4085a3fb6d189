"""The section of quality/judges.py, and its plots."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import figures as digits
from sections.markdown import part, percent, table, whole

TITLE = "Ways of prompting a language model"
MEASURE = "nDCG@10"
KINDS = ("flat", "graded")


def section(figures: dict[str, Any]) -> Iterator[str]:
    yield (
        "nDCG@10 of ways to rerank with simulated judges that are often wrong, higher is better, "
        "and the calls that each way needs, lower is better. A `flat` judge answers any prompt "
        f"wrongly with probability {part(figures['wrong'], 1)}. A `graded` judge is as often wrong "
        "about random pairs, and more often the more alike two hits are. Batches are the model's "
        "calls when prompts run together."
    )
    judges = figures["judges"]
    rows = {kind: {row["variant"]: row for row in judges[kind]["rows"]} for kind in KINDS}
    waits = [key for key in next(iter(rows["flat"].values())) if "/prompt" in key]
    yield table(
        ["", *(f"{kind}: {MEASURE}" for kind in KINDS), "calls", "batches", *waits],
        (
            [
                name,
                *(
                    f"{part(rows[kind][name][MEASURE])} ± {part(rows[kind][name]['±'])}"
                    for kind in KINDS
                ),
                *(whole(row[key]) for key in ("calls", "batches")),
                *(f"{digits(row[key])} s" if row[key] != "-" else "" for key in waits),
            ]
            for name, row in rows["graded"].items()
        ),
    )
    yield (
        f"Each judge orders {whole(figures['candidates'])} hits of {whole(figures['seeds'])} "
        f"random worlds for the best {whole(figures['places'])}; the first stage has "
        f"{part(figures['first stage'][MEASURE])}. ± is half of the "
        f"{percent(figures['confidence'])} confidence interval. The last columns are seconds of a "
        "query with models that wait for each call and prompt. Calls, batches and seconds are of "
        "the graded judge. `listwise` is flattered by the flat judge, whose windows are ordered by "
        "all their pairs."
    )
    yield (
        "Plots of nDCG@10 within a budget of calls: [flat](judges-flat.svg), "
        "[graded](judges-graded.svg)."
    )


def plots(figures: dict[str, Any]) -> dict[str, str]:
    """File beside the page -> SVG."""
    from common.judges_plot import svg

    first = figures["first stage"][MEASURE]
    judges = figures["judges"]
    return {f"judges-{kind}.svg": svg(judges[kind]["curves"], first, kind) for kind in KINDS}
