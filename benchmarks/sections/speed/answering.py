"""The section of speed/answering.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import part, table, whole

TITLE = "Answers around their model"


def section(figures: dict[str, Any]) -> Iterator[str]:
    found = figures["answers"]
    yield (
        "Milliseconds to choose the sources of a prompt, if all passages fit, with the tokenizer "
        f"of {figures['model']}; lower is better. New passages are counted for the first time, and "
        "the tokenizer takes most of the time. Known passages were counted for an earlier question."
    )
    yield table(
        ["passages sent", "tokens", "passages", "wall clock", "CPU"],
        (
            [
                whole(row["passages"]),
                whole(row["tokens"]),
                row["seen"],
                f"{row['ms']:.1f}",
                f"{row['cpu_ms']:.1f}",
            ]
            for row in figures["contexts"]
        ),
    )
    yield (
        f"Answers to {whole(found['questions'])} questions of at most "
        f"{whole(found['max_tokens'])} tokens, and the bare model on the same prompts in the same "
        "run: medians. The times until the first text have a ratio of "
        f"{part(found['answer']['first_ms'] / found['model']['first_ms'], 2)}, and the tokens per "
        "second one of "
        f"{part(found['answer']['tokens_per_second'] / found['model']['tokens_per_second'], 2)}."
    )
    yield table(
        ["", "first text, ms", "tokens per second"],
        (
            [label, whole(found[name]["first_ms"]), f"{found[name]['tokens_per_second']:.1f}"]
            for name, label in (("answer", "answer"), ("model", "bare model"))
        ),
    )
    closed, near = figures["closing"], figures["suggestions"]
    yield (
        f"After a stream is closed, its model ends within {whole(closed['median_ms'])} ms "
        f"(median), {whole(closed['most_ms'])} ms at most, over {whole(closed['streams'])} streams."
    )
    yield from left(figures["leaving"])
    yield (
        f"Suggestions compare a misspelled word with a dictionary of {whole(near['terms'])} terms "
        f"in {near['cpu_ms']:.1f} ms of CPU time (median of {whole(near['words'])} words; at most "
        f"{near['most_cpu_ms']:.1f} ms). The first one also takes {whole(near['built_cpu_ms'])} ms."
    )


def left(rows: list[dict[str, Any]]) -> Iterator[str]:
    yield (
        "Clients of a server that leave while a model works for them, and the milliseconds until "
        "their thread serves another client, beyond those of an idle server: the median and the "
        "longest of "
        f"{whole(rows[0]['clients'])} clients. The last column is the CPU time that the server "
        "takes after a client has left, the other client's request included (median)."
    )
    yield table(
        ["", "thread free, median ms", "most ms", "CPU seconds afterwards"],
        (
            [row["kind"], whole(row["median_ms"]), whole(row["most_ms"]), part(row["cpu_s"], 2)]
            for row in rows
        ),
    )
