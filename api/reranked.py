"""Describe what reranking did, for a terminal and for the search page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..core.display import one_line
from .figures import counted, figure

if TYPE_CHECKING:
    from ..core import HitRerank, Usage
    from ..search import RerankReport

ITEMS = 6
"""Maximum number of items of a list that are shown in a reason (see `reasons`)."""

TEXT = 120
"""Maximum number of characters of a text that are shown in a reason (see `reasons`)."""


class Window(NamedTuple):
    """A stretch of a text that a reranker read.

    start, end: character offsets in the text; `end` is exclusive.
    score:      the reranker's score of the stretch; None if the reranker does not score stretches.
    """

    start: int
    end: int
    score: float | None


class WindowsRead(NamedTuple):
    """The windows of a text that a reranker read.

    windows: windows that the reranker read, sorted by offset.
    of:      number of all windows of the text, read or not; None if unknown.
    """

    windows: list[Window]
    of: int | None


def moved(hit: HitRerank) -> str:
    """Return by how many ranks a hit moved: `+3` (up), `-2` (down) or `=` (not at all)."""
    change = hit.previous - hit.rank
    return f"{change:+d}" if change else "="


def cost_line(report: RerankReport) -> str:
    """Return one line with the status, calls, tokens and time of reranking."""
    parts = [f"{report.judged} of {counted(report.candidates, 'hit')} judged"]
    parts += _cost(report.usage)
    if report.truncated:
        parts.append(f"{counted(report.truncated, 'text')} cut")
    return f"{report.status}: {', '.join(parts)}; {report.seconds * 1e3:.1f} ms"


def stage_lines(report: RerankReport) -> list[str]:
    """Return one line for each reranker of a chain, with its status, calls, tokens and time."""
    return [
        f"{stage.name} {stage.status}: "
        + ", ".join([f"{stage.judged} of {stage.candidates} judged", *_cost(stage.usage)])
        + f"; {stage.seconds * 1e3:.1f} ms"
        for stage in report.stages
    ]


def _cost(usage: Usage) -> list[str]:
    tokens = usage.prompt_tokens + usage.completion_tokens
    parts = [counted(usage.calls, "call")]
    parts += [f"{tokens:,} tokens"] if tokens else []
    parts += [f"{usage.cache_hits} remembered"] if usage.cache_hits else []
    return parts


def reasons(value: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (name, text) for each reason that a reranker gave for the score of a hit.

    value: name -> reason. If a reason is an object, each field of the object becomes a reason of
    its own. The name of this reason is the name of the object, a space and the name of the field.
    """
    return [(name, _text(inner)) for name, inner in _flat(value, "")]


def windows_read(value: Mapping[str, Any], length: int) -> WindowsRead:
    """Return the windows that are listed in the reasons of a reranker.

    value:  reasons. `value`, or an object inside it, may have the fields `windows` (ranges of
            characters that the reranker read) and `of` (number of windows of the whole text).
    length: number of characters of the text.

    Skips windows that are not inside the text.
    """
    found: dict[tuple[int, int], Window] = {}
    of: int | None = None
    for inner in _mappings(value):
        spans = inner.get("windows")
        if isinstance(spans, str) or not isinstance(spans, Sequence):
            continue
        of = inner.get("of", of)
        for span in spans:
            start, end = span.get("start"), span.get("end")
            if isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= length:
                found[start, end] = Window(start, end, span.get("score"))
    return WindowsRead([found[span] for span in sorted(found)], of)


def _mappings(value: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield value
    for inner in value.values():
        if isinstance(inner, Mapping):
            yield from _mappings(inner)


def _flat(value: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            yield from _flat(inner, f"{prefix}{name} ")
        else:
            yield prefix + str(name), inner


def _text(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, int | float):
        return figure(value)
    if isinstance(value, Mapping):
        return " ".join(f"{name} {_text(inner)}" for name, inner in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        shown = [_text(item) for item in value[:ITEMS]]
        shown += [f"and {len(value) - ITEMS} more"] if len(value) > ITEMS else []
        return ", ".join(shown) or "none"
    return one_line(str(value), TEXT)
