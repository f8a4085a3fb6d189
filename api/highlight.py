"""Which part of a text to show for a hit, and which words in it match the query."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass

from ..core import Passage
from ..encoders import Token

Tokenize = Callable[[str], Sequence[Token]]
LENGTH = 420
"""Characters shown of a long text."""
READ = 20_000
"""Characters of a text that are looked at: an excerpt is not worth more."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of text; `marked` when it matches the query."""

    text: str
    marked: bool


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Fragments in order. `cut_before`, `cut_after`: there is more of the text there."""

    fragments: Sequence[Fragment]
    cut_before: bool
    cut_after: bool


def fragments(text: str, terms: Set[str], tokenize: Tokenize) -> list[Fragment]:
    """The whole text with the matching words marked."""
    return _split(text, 0, len(text), _spans(text, terms, tokenize))


def excerpt(
    text: str,
    terms: Set[str],
    tokenize: Tokenize,
    passage: Passage | None = None,
    length: int = LENGTH,
) -> Excerpt:
    """About `length` characters of the passage (None = the whole text): the stretch that has the
    most matching words; of equal ones the first."""
    low, high = (0, len(text)) if passage is None else (passage.start, passage.end)
    high = min(high, low + READ)
    inner = text[low:high]
    spans = [(start + low, end + low) for start, end in _spans(inner, terms, tokenize)]
    if high - low > length:
        best, most = low, 0
        for i, (start, _) in enumerate(spans):
            inside = sum(end <= start + length * 3 // 4 for _, end in spans[i : i + 100])
            if inside > most:
                best, most = start, inside
        start = max(low, min(best - length // 4, high - length))
        low, high = _to_words(text, start, min(start + length, high), low, high)
    return Excerpt(_split(text, low, high, spans), low > 0, high < len(text))


def _spans(text: str, terms: Set[str], tokenize: Tokenize) -> list[tuple[int, int]]:
    """Places of the matching tokens, in order; overlapping ones joined."""
    spans: list[tuple[int, int]] = []
    for token in tokenize(text) if terms else ():
        if token.term in terms:
            if spans and token.start < spans[-1][1]:
                spans[-1] = (spans[-1][0], max(spans[-1][1], token.end))
            else:
                spans.append((token.start, token.end))
    return spans


def _to_words(text: str, start: int, end: int, low: int, high: int) -> tuple[int, int]:
    """Move both ends to a space nearby, so that no word is cut."""
    if start > low:
        space = text.find(" ", start, start + 30)
        start = start if space < 0 else space + 1
    if end < high:
        space = text.rfind(" ", max(end - 30, start), end)
        end = end if space < 0 else space
    return start, end


def _split(text: str, low: int, high: int, spans: Sequence[tuple[int, int]]) -> list[Fragment]:
    found = []
    at = low
    for start, end in spans:
        if end <= low or start >= high:
            continue
        start, end = max(start, low), min(end, high)
        if start > at:
            found.append(Fragment(text[at:start], marked=False))
        found.append(Fragment(text[start:end], marked=True))
        at = end
    if at < high:
        found.append(Fragment(text[at:high], marked=False))
    return found
