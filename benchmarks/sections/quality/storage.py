"""The section of quality/storage.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import chance, listed, part, percent, set_name, table, whole

TITLE = "Codecs of vectors"


def section(figures: dict[str, Any]) -> Iterator[str]:
    sets = [set_name(name) for name in figures["sets"]]
    rows = figures["mean"]
    shares = sorted({row["share"] for row in rows}, reverse=True)
    cells = {(row["name"], row["share"]): row for row in rows}
    yield (
        "nDCG@10 of MiniLM vectors in fewer bytes, relative to float32 in per cent; higher is "
        f"better. The figures are means over {listed(sets)}. Brackets hold the share of float32's "
        "top hits that are found. Queries are float32, and nothing is rescored."
    )
    names = [name for name in dict.fromkeys(row["name"] for row in rows) if "centred" not in name]
    yield table(
        [
            "",
            "bytes",
            *("all dimensions" if share == 1 else f"PCA {percent(share)}" for share in shares),
        ],
        (
            [
                name,
                whole(cells[name, shares[0]]["bytes"]),
                *(
                    f"{100 * row['relative']:.1f} ({part(row['recall'])})"
                    for share in shares
                    for row in [cells[name, share]]
                ),
            ]
            for name in names
        ),
    )
    yield (
        "The rows named after the paper follow the published code of the storage study that "
        "`twindex tune` is made after: both sides are coded, and int8 codes are used as numbers."
    )
    yield (
        "Statements of the study, on each collection and on the mean. Losses and relative "
        "nDCG@10 are in per cent; p-values of a paired randomisation test are not corrected."
    )
    statements: dict[str, dict[str, dict[str, Any]]] = {}
    for row in figures["verdicts"]:
        statements.setdefault(row["statement"], {})[row["set"]] = row
    groups = [*figures["sets"], "mean"]
    yield table(
        ["statement", *(set_name(name) for name in groups)],
        (
            [statement.replace("  ", " "), *(verdict(found[name]) for name in groups)]
            for statement, found in statements.items()
        ),
    )
    yield "CISI was looked at while the rotation after PCA was chosen."


def verdict(row: dict[str, Any]) -> str:
    holds = "yes" if row["holds"] else "no"
    if "lost" in row:
        return f"{holds}: {100 * row['lost']:.2f}"
    p_value = f", {chance(row['p'])}" if "p" in row else ""
    return f"{holds}: {100 * row['left']:.1f} against {100 * row['right']:.1f}{p_value}"
