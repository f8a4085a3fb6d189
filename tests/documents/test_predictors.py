"""docs/query-understanding.md lists every predictor. Run this file to write its table."""

from __future__ import annotations

from pathlib import Path

from twindex.search.predictors import ACROSS_LEGS, BEFORE, OF_LEG, OF_TEXTS

DOCUMENT = Path(__file__).parents[2] / "docs" / "query-understanding.md"
BEGIN, END = "<!-- predictors: begin -->", "<!-- predictors: end -->"


def table() -> str:
    groups = (
        ("terms of the query", "", BEFORE),
        ("one leg", "LEG.", OF_LEG),
        ("several legs", "", ACROSS_LEGS),
        ("passages found", "", OF_TEXTS),
    )
    rows = [
        f"| `{prefix}{name}` | {group} | {text} |"
        for group, prefix, names in groups
        for name, text in names.items()
    ]
    return "\n".join(["| predictor | reads | value |", "|---|---|---|", *rows])


def written(text: str) -> str:
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


def test_every_predictor_is_listed():
    text = DOCUMENT.read_text()
    assert written(text) == text, "run python tests/documents/test_predictors.py"


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text()))
