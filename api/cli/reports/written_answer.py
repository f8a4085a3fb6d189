"""Print an answer while it is written, and then its sources."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ....core.answers import Answer, AnswerEvent, DoneEvent, Source, TextEvent
from ....core.closing import close_iterator
from ....core.display import one_line, printable
from ...answered import (
    answer_stages,
    cited,
    context_line,
    generated_name,
    has_tokens,
    left_out_reason,
    no_answer_reason,
    unsupported,
)
from ...figures import counted
from ..terminal import PLACE, SHOWN_SECONDS, model_usage, note, print_query, print_report

if TYPE_CHECKING:
    from ....search import RerankReport

QUOTE = 500
"""Maximum number of characters that are printed of a quote or a statement."""


def print_answer(
    events: Iterator[AnswerEvent], *, reranker: str | None, explain: bool, loading: float = 0.0
) -> Answer:
    """Print the text of an answer as it is written, then its citations, and return the answer.

    The text, the citations and the passages that `explain` shows go to standard output; counts,
    timings and warnings go to standard error. The iterator is closed, whatever happens.

    reranker: name of the reranker, for its report.
    loading:  seconds that models took to load.
    """
    answer = _written(events)
    print_citations(answer)
    if explain:
        print_context(answer)
    sys.stdout.flush()
    _notes(answer, reranker, loading)
    return answer


def _written(events: Iterator[AnswerEvent]) -> Answer:
    """Print the text of an answer as it is written, and return the answer."""
    begun = False
    answer = None
    try:
        for event in events:
            if isinstance(event, TextEvent):
                begun = True
                print(printable(event.text), end="", flush=True)
            elif isinstance(event, DoneEvent):
                answer = event.answer
    finally:
        close_iterator(events)
        if begun:
            print(flush=True)
    assert answer is not None, "the last event is DoneEvent"
    return answer


def print_citations(answer: Answer) -> None:
    """Print the cited sources with their quotes, and the statements without support."""
    if answer.outcome == "no_answer":
        print(f"\nno answer: {no_answer_reason(answer)}")
        return
    for number, one in enumerate(cited(answer)):
        print(("" if number else "\n") + _head(one.source))
        for quote in one.quotes:
            print(f'    "{one_line(quote.text, QUOTE)}"')
    for statement, why in unsupported(answer):
        print(f'not supported: "{one_line(statement, QUOTE)}": {why}')
    if not answer.citations:
        print("\nthe answer cites no source")


def print_context(answer: Answer) -> None:
    """Print the sources that the generator read, and the passages that were left out."""
    numbers = {one.source.number for one in cited(answer)}
    unit = "token" if has_tokens(answer) else "word"
    print(f"\n{context_line(answer)}")
    for source in answer.sources:
        if source.kind == "generated":
            print(f"generated background, not a source: {one_line(source.text, QUOTE)}")
            continue
        ranks = ", ".join(map(str, source.ranks))
        parts = [f"rank {ranks}", f"score {source.score:.4f}", counted(source.tokens, unit)]
        parts += [
            *(["cut"] if source.cut else []),
            *(["cited"] if source.number in numbers else []),
        ]
        print(f"{_head(source)}\n    {', '.join(parts)}")
    for one in answer.left_out:
        name = f"rank {one.rank}, {one.id}" if one.kind == "document" else generated_name(one)
        print(f"left out: {name}: {left_out_reason(one)}")


def _head(source: Source) -> str:
    """Return a line such as `[1] kiwi  Kiwi > Habitat, page 3`."""
    above = " > ".join(dict.fromkeys(filter(None, (source.title, *source.headings))))
    page = "" if source.page is None else f"page {source.page}"
    place = ", ".join(one_line(part, PLACE) for part in (above, page) if part)
    return f"[{source.number}] {one_line(source.id, PLACE)}" + (place and f"  {place}")


def _notes(answer: Answer, reranker: str | None, loading: float) -> None:
    """Print counts, timings, usage and warnings on standard error."""
    note(f"{answer.generator}: {context_line(answer)}; {answer_stages(answer)}")
    loading += answer.timings.get("load", 0) / 1e3
    if loading >= SHOWN_SECONDS:
        note(f"models loaded before that, in {loading:.1f} s")
    if answer.usage.calls or answer.usage.cache_hits:
        note(model_usage(answer.usage))
    if answer.search is not None:
        print_query(answer.search)
        report: RerankReport | None = answer.search.rerank
        if report is not None and reranker is not None:
            print_report(reranker, report)
    for warning in answer.warnings:
        note(f"warning: {warning}")
