"""The explanation of a hit's score on the search page: contributions of legs and of terms."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...core import Contribution, Hit
from ...search import SearchRequest

TERMS_SHOWN = 12
"""Maximum number of terms of a leg that the page shows."""
_WORD = re.compile(r"\w+")
_CONTINUES = "##"


def leg_rows(hit: Hit, request: SearchRequest) -> list[dict[str, Any]]:
    """Return a row for each leg that found the hit, with rank, scores, weight and contribution.

    `of` is the sum of the weights of all legs that ran, if the fusion is a weighted mean; else
    None. `alone` is True if only one leg ran.
    """
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
    """Return leg -> words that contribute most (`rows`), and the number of other words (`more`).

    `share` of a word is its contribution relative to the largest one.

    explain: leg -> contributions of its terms.
    texts:   query and texts of the hit. Word pieces that spell a word of these texts are joined.
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
    """Return the contributions of terms as contributions of words, by descending score.

    Word pieces (`predecess`, `##or`) that spell a word of `texts` become this word, with the sum of
    their scores. The `item` of such a word is None, and `pieces` are its word pieces. Other terms
    stay separate.
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
        {"term": piece(name), "score": item.score, "item": item, "pieces": []}
        for name, item in left.items()
    ]
    return sorted(words, key=lambda word: (-word["score"], word["term"]))


def _pieces(word: str, known: Mapping[str, Any]) -> list[str]:
    """Split a word as WordPiece does: each piece is the longest possible one in `known`.

    Returns an empty list if the word cannot be split into pieces in `known`.
    """
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


def piece(term: str) -> str:
    """Return an entry of a vocabulary as the page shows it.

    A piece that continues a word begins with `…`, such as `…or` for `##or`. A leading space of a
    piece is `␣`.
    """
    if term.startswith(_CONTINUES) and len(term) > len(_CONTINUES):
        return "…" + term.removeprefix(_CONTINUES)
    return "␣" + term[1:] if term[:1] in ("Ġ", "▁") and len(term) > 1 else term
