"""Describe an answer in words, for a terminal and for the answer page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .figures import counted

if TYPE_CHECKING:
    from ..core.answers import Answer, Citation, LeftOut, Quote, Source

LEFT_OUT: Mapping[str, str] = {
    "budget": "it did not fit into the tokens of the context",
    "copy": "it is a near-copy of a better passage",
    "per_document": "its document already had its maximum number of passages",
    "passages": "the maximum number of passages was reached",
    "empty": "it has no text",
}
"""Reason for which a passage was not sent -> the reason in words."""

NO_ANSWER: Mapping[str, str] = {
    "no sources": "no passage was found",
    "insufficient sources": "the sources probably do not contain the answer",
    "model": "the model found no answer in the sources",
    "no match": "no sentence of the sources has a word of the question",
    "timeout": "no text was written within the time limit",
    "empty": "the model wrote no text",
}
"""Reason for which there is no answer -> the reason in words."""

TOO_LONG = ("context.tokens", "tokens", "max_tokens")
"""Fields of the errors of a prompt that leaves no space for sources."""


@dataclass(frozen=True, slots=True)
class CitedSource:
    """A source that an answer cites.

    quotes: the cited parts of the source, each once, in the order of the answer.
    """

    source: Source
    quotes: list[Quote]


def cited(answer: Answer) -> list[CitedSource]:
    """Return the sources that an answer cites, in the order of their numbers."""
    quotes: dict[int, dict[tuple[int, int], Quote]] = {}
    for citation in answer.citations:
        for quote in citation.quotes:
            quotes.setdefault(quote.number, {}).setdefault((quote.start, quote.end), quote)
    return [
        CitedSource(source, list(quotes[source.number].values()))
        for source in sorted(answer.sources, key=lambda one: one.number)
        if source.number in quotes
    ]


def place_of(source: Source) -> str:
    """Return the page and the headings of a source, such as `page 3, Setup > Linux`.

    The first heading is left out if it is the title of the document.
    """
    page = [] if source.page is None else [f"page {source.page}"]
    headings = list(source.headings)
    if headings[:1] == [source.title]:
        del headings[0]
    return ", ".join([*page, *([" > ".join(headings)] if headings else [])])


def left_out_reason(text: LeftOut) -> str:
    """Return in words why a passage or a generated text was not sent."""
    words = LEFT_OUT[text.reason]
    if text.copy_of is not None:
        noun = "passage" if text.kind == "document" else "generated text"
        words = words.replace("a better passage", f"{noun} {text.copy_of}")
    return words


def generated_name(text: LeftOut) -> str:
    """Return the name of a generated text that was not sent, such as `generated text 2`."""
    return f"generated text {text.rank}"


def no_answer_reason(answer: Answer) -> str:
    """Return in words why there is no answer."""
    if answer.reason == "no sources" and answer.left_out:
        return "no passage that was found could be sent"
    words = NO_ANSWER.get(answer.reason or "", answer.reason or "unknown")
    if answer.confidence is not None:
        words += f" (estimated probability that they do: {answer.confidence:.2f})"
    return words


def unsupported(answer: Answer) -> Iterator[tuple[str, str]]:
    """Yield each statement that its sources do not support, with its `support_line`."""
    for citation in answer.citations:
        if not citation.supported:
            yield answer.text[citation.start : citation.end], support_line(citation)


def support_line(citation: Citation) -> str:
    """Return how far the quotes of a citation support its statement.

    Example: `[1] has 31% of its words, but not 1990`.
    """
    parts = []
    for quote in citation.quotes:
        lacking = f", but not {', '.join(quote.missing)}" if quote.missing else ""
        if quote.entailment is not None:
            lacking += f", and entails it with the probability {quote.entailment:.2f}"
        parts.append(f"[{quote.number}] has {quote.support:.0%} of its words{lacking}")
    return "; ".join(parts)


def unsent_turns(count: int) -> str:
    """Return a note about earlier turns that were not sent, because they left no space."""
    return f"the first {counted(count, 'turn')} no longer fit and are not sent"


def searched_lines(answer: Answer) -> list[str]:
    """Return a line for each step that may have changed the query.

    The line has the name and status of the step. If the step ran, it also has the texts that were
    searched; otherwise, the reason.

    Example: `standalone ran: “Where does the kiwi live?”`.
    """
    stages = () if answer.search is None else answer.search.stages
    lines = []
    for stage in stages:
        shown = stage.reason or ", ".join(f"“{text}”" for text in stage.queries)
        lines.append(f"{stage.name} {stage.status}" + (f": {shown}" if shown else ""))
    return lines


def read_filter(answer: Answer) -> str:
    """Return the filter that was read from the question, as JSON; "" if there is none."""
    if answer.filter is None:
        return ""
    return json.dumps(answer.filter, ensure_ascii=False, separators=(",", ":"))


def answer_stages(answer: Answer) -> str:
    """Return the time of an answer and of each stage, such as `12.3 ms (lexical 1.0, ...)`.

    The time of an answer does not include loading models. `first_token` is a part of `generate`.
    """
    stages = {name: ms for name, ms in answer.timings.items() if name != "load"}
    first = stages.pop("first_token", None)
    shown = ", ".join(f"{name} {ms:.1f}" for name, ms in stages.items())
    after = "" if first is None or not answer.usage.calls else f", first token after {first:.1f}"
    return f"{sum(stages.values()):.1f} ms ({shown}{after})"


def has_tokens(answer: Answer) -> bool:
    """Return True if `Source.tokens` counts tokens, because a language model read the sources.

    The usage of rewriting and encoding the query does not count.
    """
    searched = None if answer.search is None else answer.search.usage
    before = 0 if searched is None else searched.calls + searched.cache_hits
    return answer.usage.calls + answer.usage.cache_hits > before


def context_line(answer: Answer) -> str:
    """Return how many sources were sent and left out, such as `3 sources, 2 passages left out`."""
    real = [one for one in answer.sources if one.kind == "document"]
    written = sum(one.kind == "generated" for one in answer.left_out)
    left = counted(len(answer.left_out) - written, "passage")
    and_texts = f" and {counted(written, 'generated text')}" if written else ""
    return f"{counted(len(real), 'source')} sent, {left}{and_texts} left out"
