"""The section of speed/promptreps_speed.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import counted, part, percent, table, whole
from sections.markdown import figures as digits

TITLE = "Encoding with PromptReps"
PLAIN = "plain, float32"


def section(figures: dict[str, Any]) -> Iterator[str]:
    yield (
        f"Documents a second that {figures['model']} encodes, against a plain implementation with "
        f"transformers; higher is better. The texts are {whole(figures['documents'])} abstracts of "
        f"SciFact, read by {counted(figures['threads'], 'thread')} in turns. The plain "
        f"implementation reads whole prompts in batches of {figures['batch']} and computes all "
        "logits."
    )
    yield table(
        ["", "documents/s", "times faster", "by CPU time", "least cosine to plain"],
        (
            [
                row[""],
                digits(row["documents/s"]),
                f"{row['times faster']:.1f}",
                f"{row['CPU']:.1f}",
                "" if row[""] == PLAIN else part(row["least cosine"], 4),
            ]
            for row in figures["rows"]
        ),
    )
    shares = [
        f"{percent(share['products'])} and {percent(share['attention'])} ({name})"
        for name, share in figures["shares"].items()
        if name != PLAIN
    ]
    yield f"Matrix products and attention take these shares of the time: {', '.join(shares)}."


def compared(figures: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    ratios = {row[""]: row["times faster"] for row in figures["rows"]}
    peer = f"{whole(ratios.pop(PLAIN))} (transformers, float32)"
    ours = [f"{ratio:.1f} ({name.rpartition(' ')[2]})" for name, ratio in ratios.items()]
    yield "Encoding with PromptReps, throughput, higher is better", ", ".join(ours), peer
