"""The part of the section of quality/answers.py about texts and citations without a reader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sections.markdown import chance, listed, part, percent, set_name, signed, table, whole

CLEAR = 0.05
"""With a larger p-value, the reader is not significantly better."""


def texts_section(
    figures: dict[str, Any], sets: Mapping[str, Sequence[dict[str, Any]]]
) -> Iterator[str]:
    """Answers among the texts, with and without retrieval, and citations of MuSiQue."""
    yield (
        "Without a reader: share of the questions with a gold answer among the best texts, nDCG@10 "
        "of the gold passages, and the median CPU milliseconds of the search. Generated texts have "
        f"at most {whole(figures['background_tokens'])} tokens, and there are "
        f"{whole(figures['texts'])} of them if they are sampled or clustered; the time of their "
        "model is not included. A text that guesses has an answer more often than one that knows."
    )
    for name, one in figures["sets"].items():
        lists = one["lists"]
        depths = [key for key in lists[0] if key.startswith("@")]
        yield f"{set_name(name)}:"
        yield table(
            ["texts", "questions", *(f"answer {depth}" for depth in depths), "nDCG@10", "ms"],
            (
                [
                    row["row"],
                    whole(row["questions"]),
                    *(part(row[depth]) for depth in depths),
                    "" if row["nDCG@10"] is None else part(row["nDCG@10"]),
                    "" if row["ms"] is None else whole(row["ms"]),
                ]
                for row in lists
            ),
        )
    alone = [(name, row) for name, one in figures["sets"].items() for row in one["alone"]]
    if alone:
        yield (
            f"Questions that {figures['llm']} answers rightly from the passages of `fused`, from "
            "texts that it wrote itself, from both or from neither:"
        )
        yield table(
            ["", "generation", "both", "only retrieval", "only generation", "neither"],
            (
                [
                    set_name(name),
                    row["row"],
                    *(
                        percent(row[key])
                        for key in ("both", "only retrieval", "only generation", "neither")
                    ),
                ]
                for name, row in alone
            ),
        )
        yield from conflicts(figures)
        yield from without_answer(figures["llm"], sets)
    yield from popularity(figures)
    yield (
        "The extractive reader against the first words of the same sources, as many as its answer "
        "has, in a paired randomisation test of right answers:"
    )
    yield table(
        ["", "reader", "first words", "difference", "p"],
        (
            [
                set_name(name),
                part(one["first_words"]["reader"]),
                part(one["first_words"]["words"]),
                signed(one["first_words"]["difference"]),
                chance(one["first_words"]["p"]),
            ]
            for name, one in figures["sets"].items()
        ),
    )
    unclear = [
        set_name(name)
        for name, one in figures["sets"].items()
        if one["first_words"]["difference"] <= 0 or one["first_words"]["p"] >= CLEAR
    ]
    if unclear:
        yield (
            f"With these questions, the reader is not significantly better on {listed(unclear)}. "
            "The section Extractive answers has more questions, and more lengths."
        )
    cited = figures["citations"]
    yield (
        f"{set_name(cited['set'])} has no answers here, so only the citations of the extractive "
        f"reader are compared with the gold passages of its {whole(cited['questions'])} questions, "
        "which need several passages. Sources: share of the gold passages that the reader got."
    )
    yield table(
        ["context", "passages", "citation precision", "recall", "sources"],
        (
            [
                row["row"],
                "budget" if row["k"] is None else whole(row["k"]),
                *(part(row[key]) for key in ("precision", "recall", "sources")),
            ]
            for row in cited["rows"]
        ),
    )


def conflicts(figures: Mapping[str, Any]) -> Iterator[str]:
    """What the model answers if one kind of text misleads it."""
    yield (
        "Conflicts: questions that the model answers rightly only from passages, or only from its "
        "own text, and how many of them it still answers rightly when it reads both:"
    )
    yield table(
        ["", "context", "only right from", "questions", "still right"],
        (
            [set_name(name), row["row"], row["right"], whole(row["questions"]), whole(row["kept"])]
            for name, one in figures["sets"].items()
            for row in one["conflicts"]
        ),
    )


def popularity(figures: Mapping[str, Any]) -> Iterator[str]:
    """Right answers about what many and what few passages name."""
    yield (
        "Right answers by popularity: `head` has the questions whose gold passage has a title that "
        "more passages name than the title of the median question; `tail` has the others. The "
        "number of questions is in brackets."
    )
    yield table(
        ["", "context", "reader", "tail", "head"],
        (
            [
                set_name(name),
                row["row"],
                "extractive" if row["reader"] == "extractive" else figures["llm"],
                *(f"{part(row[key][1])} ({whole(row[key][0])})" for key in ("tail", "head")),
            ]
            for name, one in figures["sets"].items()
            for row in one["popularity"]
        ),
    )


def without_answer(llm: str, sets: Mapping[str, Sequence[dict[str, Any]]]) -> Iterator[str]:
    """What readers do if the collection lacks the answer, without a rule of abstention."""
    yield (
        "Without a rule of abstention, readers rarely notice that the collection lacks the answer "
        "(`without gold`). Questions answered wrongly, and not answered:"
    )
    yield table(
        ["", "reader", "answered wrongly", "no answer"],
        (
            [
                set_name(name),
                "extractive" if row["reader"] == "extractive" else llm,
                percent(row["answered_wrongly"]),
                percent(row["no_answer"]),
            ]
            for name, rows in sets.items()
            for row in rows
            if row["row"] == "without gold" and row["k"] is None
        ),
    )
