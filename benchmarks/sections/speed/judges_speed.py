"""The section of speed/judges_speed.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import table, whole

TITLE = "Pairwise prompts of a language model"


def section(figures: dict[str, Any]) -> Iterator[str]:
    yield (
        f"Prompt tokens that {figures['model']} ({figures['precision']}) handles in a second of "
        "CPU time when it compares all pairs of a query's documents; higher is better. The query "
        f"has {figures['candidates']} documents of at most {figures['passage_tokens']} tokens. "
        "Twindex reads the query and the first passage once for all prompts that share them."
    )
    yield table(
        ["prompts read", "prompts", "tokens", "of them reused", "tokens per CPU second"],
        (
            [
                row["way"],
                *(whole(row[key]) for key in ("prompts", "tokens", "reused", "tokens/CPU s")),
            ]
            for row in figures["rows"]
        ),
    )
