"""What reranking did, in words: for a terminal and for the search page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .figures import counted, figure

if TYPE_CHECKING:
    from ..core import HitRerank, Usage
    from ..search import RerankReport

ITEMS = 6
"""Shown of a list in a reason."""

TEXT = 120
"""Characters shown of a text in a reason."""

Window = tuple[int, int]


def moved(hit: HitRerank) -> str:
    """How far a hit went: `+3` up, `-2` down, `=` where it was."""
    places = hit.previous - hit.rank
    return f"{places:+d}" if places else "="


def spent(report: RerankReport) -> str:
    """What reranking cost, in one line."""
    parts = [f"{report.judged} of {counted(report.candidates, 'hit')} judged"]
    parts += _cost(report.usage)
    if report.truncated:
        parts.append(f"{counted(report.truncated, 'text')} cut")
    return f"{report.status}: {', '.join(parts)}; {report.seconds * 1e3:.1f} ms"


def stages(report: RerankReport) -> list[str]:
    """What each stage of a chain cost."""
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
    """Name and value of each reason, with those inside others under a joined name."""
    return [(name, _text(inner)) for name, inner in _flat(value, "")]


def windows(value: Mapping[str, Any], length: int) -> list[Window]:
    """Spans of characters that a reranker says it has read, `windows` of a reason at any depth, in
    order. Those that are not inside a text of that length are left out."""
    found: set[Window] = set()
    for name, inner in value.items():
        if name == "windows" and isinstance(inner, Sequence) and not isinstance(inner, str):
            spans = ((w.get("start"), w.get("end")) for w in inner if isinstance(w, Mapping))
            found |= {
                (start, end)
                for start, end in spans
                if isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= length
            }
        elif isinstance(inner, Mapping):
            found |= set(windows(inner, length))
    return sorted(found)


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
    text = " ".join(str(value).split())
    text = "".join(character if character.isprintable() else "?" for character in text)
    return text if len(text) <= TEXT else text[: TEXT - 1].rstrip() + "…"
