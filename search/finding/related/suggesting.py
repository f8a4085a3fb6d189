"""Suggests a query with misspelled words replaced by words of the collection ("did you mean").

A word is replaced only if it is rare: at most one passage in 1,000, and at most five passages,
contain it. The dictionary of a lexical leg has stems, not words. Similar stems are therefore only
candidates, and suggested words are read from passages with a candidate. A suggested word begins
with the same character, is at most two edits away (one edit for words of up to five characters),
and is in at least 50 times as many passages. The fewest edits win, then the most passages.

Words of fewer than four characters, with a digit, or in scripts without spaces are not checked. The
approach is that of Lucene's DirectSpellChecker, which compares a word with every term of the index.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import cast

from ....core import Representation
from ....core.filters import parse_filter, write_filters
from ....encoders.lexical.encoder import Token
from ....encoders.scripts import SPACELESS
from ....index import View, VocabularyView
from ....index.inverted.near_terms import distance
from ..planning import EncodedPlan
from ..stages import lexical_leg

WORDS = 8
"""Maximum number of words of a query that are checked."""

SHORTEST = 4
"""Minimum number of characters of a word that is checked."""

RARE = 1_000
"""A word is rare if at most one of this number of passages contains it, and at most `FEW`."""

FEW = 5
"""Maximum number of passages that contain a rare word."""

TIMES = 50
"""A suggested word is in at least this many times as many passages as the rare word."""

CANDIDATES = 10
"""Maximum number of similar terms whose passages are read for one word."""

PASSAGES = 3
"""Number of passages that are read for one term."""

READ = 10_000
"""Maximum number of characters that are read of a passage."""

_UNCHECKED = re.compile(rf"[\d{SPACELESS}]")


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of the query, characters [start, end), and its terms in all analyses."""

    start: int
    end: int
    text: str
    terms: frozenset[str]


def suggest(view: View, encoded: EncodedPlan) -> str | None:
    """Return the query with misspelled words replaced; None if there is nothing to replace.

    The suggestion has the conditions that were read from the query text. Also None for a search
    without a query text, and for a collection without a lexical leg.
    """
    plan = encoded.plan
    query = plan.request.query
    leg = lexical_leg(view.config, [one.name for one in plan.legs])
    if query is None or leg is None:
        return None
    with encoded.trace.stage("suggest"):
        words = _words(query, encoded.encoder.query_tokens(leg, plan.request))
        frequencies = view.frequencies(leg, sorted({t for word in words for t in word.terms}))
        rare = min(view.statistics(leg, []).passages // RARE, FEW)
        found = query
        for word in reversed(words):
            known = max(frequencies[term] for term in word.terms)
            if known <= rare:
                better = _better(cast(VocabularyView, view), encoded, leg, word, known)
                if better is not None:
                    found = found[: word.start] + better + found[word.end :]
    if found == query:
        return None
    if plan.read is None or plan.read.filter is None:
        return found
    return f"{found} {write_filters(parse_filter(plan.read.filter))}".strip()


def _words(query: str, analyses: Sequence[Sequence[Token]]) -> list[_Word]:
    """Return the words to check, in order: those that every analysis keeps."""
    spans = [{(token.start, token.end): token.term for token in tokens} for tokens in analyses]
    shared = sorted(set(spans[0]).intersection(*spans[1:])) if spans else []
    words = (
        _Word(start, end, query[start:end], frozenset(one[start, end] for one in spans))
        for start, end in shared
        if end - start >= SHORTEST
    )
    return list(islice((word for word in words if _is_spelled(word.text)), WORDS))


def _is_spelled(word: str) -> bool:
    return _UNCHECKED.search(word) is None


def _better(
    view: VocabularyView, encoded: EncodedPlan, leg: str, word: _Word, known: int
) -> str | None:
    """Return the word that replaces a rare word; None if there is none.

    known: number of passages that contain the rare word.
    """
    folded = word.text.lower()
    edits = 1 if len(folded) <= 5 else 2
    most = edits if folded.isascii() else 2 * edits  # In bytes.
    costs: dict[str, int] = {}
    for stem in sorted(word.terms):
        for term, cost in view.near_terms(leg, folded, stem, most):
            costs[term] = min(cost, costs.get(term, cost))
    frequencies = view.frequencies(leg, list(costs))
    enough = [t for t in costs if frequencies[t] >= max(1, TIMES * known)]
    enough.sort(key=lambda term: (costs[term], -frequencies[term], term))
    best: tuple[int, int, str] | None = None
    for term in enough[:CANDIDATES]:
        encoded.trace.guard.check()
        for surface in _surfaces(view, encoded, leg, term):
            changed = distance(surface.lower(), folded)
            if surface[:1].lower() == folded[:1] and 0 < changed <= edits:
                key = (changed, -frequencies[term], surface)
                best = key if best is None else min(best, key)
        if best is not None and best[0] <= 1:
            break  # Other terms cost as much or are rarer.
    return None if best is None else _cased(best[2], word.text)


def _surfaces(view: View, encoded: EncodedPlan, leg: str, term: str) -> list[str]:
    """Return the words of some passages that have a term, the most frequent first.

    A word that occurs in lower case is returned in lower case.
    """
    query = Representation(terms=[{term: 1}])
    result = view.search(leg, query, PASSAGES, view.select(None))[0]
    documents = view.documents(result.documents.tolist())
    spans = view.passages(result.passages)
    counts: Counter[str] = Counter()
    for number, span in zip(result.documents.tolist(), spans, strict=True):
        document = documents[number]
        text = document.text if span is None else document.text[span.start : span.end]
        read = f"{document.title} {text}"[:READ]
        for token in encoded.encoder.document_tokens(leg, document, read):
            if token.term == term:
                counts[read[token.start : token.end]] += 1
    return list(_in_lower_case(counts))


def _in_lower_case(counts: Mapping[str, int]) -> Sequence[str]:
    merged: Counter[str] = Counter()
    for word, count in counts.items():
        lower = word.lower()
        merged[lower if lower in counts else word] += count
    return [word for word, _ in sorted(merged.items(), key=lambda item: (-item[1], item[0]))]


def _cased(word: str, like: str) -> str:
    """Return a word in the case of the word `like` that it replaces.

    If `like` is in capitals, the result is too. If `like` begins with a capital, the result does.
    """
    if len(like) > 1 and like.isupper():
        return word.upper()
    return word[:1].upper() + word[1:] if like[:1].isupper() else word
