"""What a reranker did with hits, as the search page shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

from ...core import Document, Hit, HitRerank
from ..figures import counted
from ..reranked import read, reasons
from . import highlight
from .highlight import Tokenize

WINDOWS = 8
"""Windows whose text is shown."""


def told(moved: HitRerank) -> str:
    """Where a hit went, in words."""
    places = moved.previous - moved.rank
    if places == 0:
        return f"stays at {moved.rank}"
    way = "up" if places > 0 else "down"
    return f"{way} {counted(abs(places), 'place')}, from {moved.previous} to {moved.rank}"


def shown(
    moved: HitRerank, document: Document, terms: Set[str], tokenize: Tokenize
) -> dict[str, Any]:
    """A hit's movement, score and reasons.

    spans, windows: stretches of the text that the reranker has read, in order of the text; none
    where it does not say so.
    """
    spans, of = read(moved.reasons, len(document.text))
    return {
        "previous": moved.previous,
        "places": moved.previous - moved.rank,
        "told": told(moved),
        "score": moved.score,
        "judged": moved.judged,
        "reasons": reasons(_without_windows(moved.reasons) if spans else moved.reasons),
        "spans": spans,
        "of": of,
        "windows": [
            {
                **span._asdict(),
                "fragments": highlight.fragments(
                    document.text[span.start : span.end], terms, tokenize
                ),
            }
            for span in spans[:WINDOWS]
        ],
    }


def before_and_after(
    before: Sequence[Hit], after: Sequence[Hit], first: int
) -> list[dict[str, Any]]:
    """The same page without and with reranking, side by side.

    first: the place of the first hit of the page. Each row has a place, the hit that had it
    (`before`, with its new place `to`, None where that is on another page) and the one that has it
    now (`after`); either may be missing.
    """
    to = {hit.id: place for place, hit in enumerate(after, first)}
    return [
        {
            "place": first + i,
            "before": {"name": _name(before[i]), "to": to.get(before[i].id)}
            if i < len(before)
            else None,
            "after": {"name": _name(after[i]), "rerank": _move(after[i])}
            if i < len(after)
            else None,
        }
        for i in range(max(len(before), len(after)))
    ]


def _move(hit: Hit) -> dict[str, Any]:
    assert hit.rerank is not None, "of a reranked page"
    return {"places": hit.rerank.previous - hit.rerank.rank, "told": told(hit.rerank)}


def _name(hit: Hit) -> str:
    title = hit.document.title if hit.document else ""
    return (title or hit.id)[:80]


def _without_windows(value: Mapping[str, Any]) -> dict[str, Any]:
    hidden = ("windows", "of") if "windows" in value else ()
    return {
        name: _without_windows(inner) if isinstance(inner, Mapping) else inner
        for name, inner in value.items()
        if name not in hidden
    }
