"""Results as text for a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..core import Hit, TopTerms, Usage
    from ..search import SearchResult

SNIPPET = 160
TERMS = 8
"""Terms shown of an explanation."""


def print_json(value: Any) -> None:
    """JSON on standard output, for people and programs."""
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    print(json.dumps(value, ensure_ascii=not unicode, indent=2))


def note(message: str) -> None:
    """A remark on standard error, beside the result."""
    print(message, file=sys.stderr)


def print_result(result: SearchResult, first: int = 1) -> None:
    """Hits with rank and score in every leg; counts, timings and warnings on standard error."""
    for leg, terms in (result.query_terms or {}).items():
        print(f"query in {leg}: {_top(terms)}")
    for rank, hit in enumerate(result.hits, start=first):
        print_hit(rank, hit)
    sys.stdout.flush()
    more = "at least " if result.relation == "gte" else ""
    spent = ", ".join(f"{stage} {spent:.1f}" for stage, spent in result.timings.items())
    found = f"{more}{counted(result.total, 'document')}"
    note(f"{len(result.hits)} of {found} in {sum(result.timings.values()):.1f} ms ({spent})")
    if result.usage is not None:
        note(model_usage(result.usage))
    for warning in result.warnings:
        note(f"warning: {warning}")


def print_hit(rank: int, hit: Hit) -> None:
    title = hit.document.title if hit.document else ""
    print(f"{rank:>3}. {hit.score:.4f}  {hit.id}{f'  {_line(title)}' if title else ''}")
    places = [f"{leg} #{place.rank} ({place.score:.4f})" for leg, place in hit.legs.items()]
    print(f"     {'   '.join(places)}")
    if hit.document and (text := _passage(hit)):
        print(f"     {text}")
    for leg, terms in (hit.explain or {}).items():
        shown = [f"{term.term} {figure(term.score)}" for term in terms[:TERMS]]
        shown += [f"and {len(terms) - TERMS} more"] if len(terms) > TERMS else []
        print(f"     {leg}: {', '.join(shown)}")
    for leg, words in (hit.terms or {}).items():
        print(f"     {leg} has: {_top(words)}")


def model_usage(usage: Usage) -> str:
    """What language models did, with their speed where they did something."""
    if not usage.calls:
        return f"language models: {counted(usage.cache_hits, 'text')} remembered"
    tokens = usage.prompt_tokens + usage.completion_tokens
    speed = f", {tokens / usage.seconds:,.0f} tokens a second" if usage.seconds > 0 else ""
    return (
        f"language models: {counted(usage.calls, 'prompt')} of {usage.prompt_tokens:,} tokens "
        f"({usage.cached_tokens:,} reused), {usage.completion_tokens:,} generated; "
        f"{usage.seconds:.1f} s{speed}"
    )


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns of equal width, the first to the left and the others to the right."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def size(count: int) -> str:
    """Bytes in the largest unit of 1000 that leaves a number above 1."""
    value = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def figure(value: float) -> str:
    """A weight or score: whole or large ones without decimals."""
    whole = value == round(value) or abs(value) >= 1_000
    return f"{value:,.0f}" if whole else f"{value:.3f}"


def counted(count: int, one: str, many: str | None = None) -> str:
    """`1 document`, `2 documents`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def truncation(truncated: Mapping[str, int]) -> list[str]:
    """A remark for each leg whose encoder did not read some passages to their end."""
    return [
        f"leg {leg}: {counted(passages, 'passage')} longer than its encoder reads; the rest was cut"
        for leg, passages in truncated.items()
        if passages
    ]


def _top(terms: TopTerms) -> str:
    shown = [f"{item.term} {figure(item.weight)}" for item in terms.top[:TERMS]]
    more = terms.total - len(shown)
    return ", ".join([*shown, *([f"and {more} more"] if more else [])]) or "nothing"


def _passage(hit: Hit) -> str:
    assert hit.document is not None
    text = hit.document.text
    if hit.passage is None:
        return _line(text, SNIPPET)
    place = f"[{hit.passage.start}-{hit.passage.end}] "
    return place + _line(text[hit.passage.start : hit.passage.end], SNIPPET)


def _line(text: str, limit: int = 100) -> str:
    """Text on one line, cut at a length; control characters could steer the terminal."""
    words = " ".join(text.split())
    words = "".join(character if character.isprintable() else "?" for character in words)
    return words if len(words) <= limit else words[: limit - 1].rstrip() + "…"
