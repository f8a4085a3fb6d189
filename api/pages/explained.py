"""How a score came about: legs, then terms, with the pieces of words joined."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...core import Contribution, Hit
from ...search import SearchRequest

TERMS_SHOWN = 12
_WORD = re.compile(r"\w+")
_CONTINUES = "##"


def leg_rows(hit: Hit, request: SearchRequest) -> list[dict[str, Any]]:
    """A row for each leg that returned the hit. `of`: the sum of all weights, where the fusion is
    a mean, else None; `alone`: no other leg ran."""
    weights = sum(leg.weight for leg in request.legs)
    mean = request.fusion.method != "rrf" and len(request.legs) > 1
    return [
        {
            "name": name,
            "rank": leg.rank,
            "score": leg.score,
            "scaled": leg.scaled,
            "weight": leg.weight,
            "of": weights if mean else None,
            "alone": len(request.legs) == 1,
            "contribution": leg.contribution,
        }
        for name, leg in hit.legs.items()
        if leg.contribution is not None
    ]


def term_rows(
    explain: Mapping[str, Sequence[Contribution]] | None, texts: Sequence[str]
) -> dict[str, Any]:
    """By leg: the heaviest words, each with its share of the largest, and how many more.

    texts: where the words are, whose pieces are joined.
    """
    found = {}
    for leg, terms in (explain or {}).items():
        words = joined(terms, texts)
        largest = max((abs(word["score"]) for word in words), default=0) or 1
        for word in words:
            word["share"] = abs(word["score"]) / largest
        more = max(0, len(words) - TERMS_SHOWN)
        found[leg] = {"rows": words[:TERMS_SHOWN], "more": more}
    return found


def joined(terms: Sequence[Contribution], texts: Sequence[str]) -> list[dict[str, Any]]:
    """Terms as words, by score, descending. Pieces (`predecess`, `##or`) that spell a word of
    `texts` become that word, with the sum of their scores; any other piece stays for itself.

    A word without `item` was joined from `pieces`.
    """
    left = {item.term: item for item in terms}
    words = []
    if any(name.startswith(_CONTINUES) for name in left):
        for word in dict.fromkeys(w for text in texts for w in _WORD.findall(text.lower())):
            pieces = _pieces(word, left)
            if len(pieces) > 1:
                parts = [left.pop(piece) for piece in dict.fromkeys(pieces)]
                score = sum(part.score for part in parts)
                words.append(
                    {"term": word, "score": score, "item": None, "pieces": [p.term for p in parts]}
                )
    words += [
        {"term": _alone(name), "score": item.score, "item": item, "pieces": []}
        for name, item in left.items()
    ]
    return sorted(words, key=lambda word: (-word["score"], word["term"]))


def _pieces(word: str, known: Mapping[str, Any]) -> list[str]:
    """The word cut as WordPiece cuts: always the longest known piece; empty where that fails."""
    found: list[str] = []
    at = 0
    while at < len(word) <= 100:
        before = _CONTINUES if at else ""
        ends = range(len(word), at, -1)
        end = next((end for end in ends if before + word[at:end] in known), None)
        if end is None:
            return []
        found.append(before + word[at:end])
        at = end
    return found


def _alone(term: str) -> str:
    """A piece with signs that people know: `…or` goes on a word, `␣cat` begins with a space."""
    if term.startswith(_CONTINUES) and len(term) > len(_CONTINUES):
        return "…" + term.removeprefix(_CONTINUES)
    return piece(term)


def piece(term: str) -> str:
    """A piece of a vocabulary with the space that it begins with as a sign people know."""
    return "␣" + term[1:] if term[:1] in ("Ġ", "▁") and len(term) > 1 else term
