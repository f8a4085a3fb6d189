"""What a reranker did to the hits of a page, as the search page shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

from ...core import Document, Hit, HitRerank
from ..figures import counted
from ..reranked import reasons, windows_read
from . import highlight
from .highlight import Tokenize

WINDOWS = 8
"""Maximum number of windows whose text is shown."""


def description(moved: HitRerank) -> str:
    """Return in words how many ranks a hit moved, and from where to where."""
    ranks = moved.previous - moved.rank
    if ranks == 0:
        return f"stays at {moved.rank}"
    way = "up" if ranks > 0 else "down"
    return f"{way} {counted(abs(ranks), 'rank')}, from {moved.previous} to {moved.rank}"


def shown(
    moved: HitRerank, document: Document, terms: Set[str], tokenize: Tokenize
) -> dict[str, Any]:
    """Return what the page shows of a hit's reranking: movement, score, reasons and text read.

    In the result, `spans` are the stretches of the text that the reranker read, in order; empty if
    unknown. `of` is the number of all windows of the text, read or not; None if unknown. `windows`
    are the first WINDOWS spans, with their text.

    terms: terms to mark in the text.
    """
    spans, of = windows_read(moved.reasons, len(document.text))
    return {
        "previous": moved.previous,
        "change": moved.previous - moved.rank,
        "words": description(moved),
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
    """Return rows that compare a page of hits before and after reranking, one row for each rank.

    In a row, `before` is the hit with this rank before reranking, and `after` is the hit with this
    rank after reranking. Either may be None. `to` in `before` is the rank of the hit after
    reranking; None: the hit is now on another page.

    first: rank of the first hit of the page.
    """
    to = {hit.id: rank for rank, hit in enumerate(after, first)}
    return [
        {
            "rank": first + i,
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
    assert hit.rerank is not None, "a hit of a reranked page"
    return {"change": hit.rerank.previous - hit.rerank.rank, "words": description(hit.rerank)}


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
