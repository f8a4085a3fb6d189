"""Snippets of the found documents, with the places of the words that match the query.

A snippet of a text is a window of at most `size` characters. Windows begin at matching words. The
one with the most different terms of the query wins, then the most matching words, then the first
one. The next snippet is chosen among the words that no snippet has yet. A snippet does not begin or
end inside a word, unless a matching word alone is longer than `size`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from ...core import Document
from ...core.types import Highlight
from ...encoders import Token
from .request import HighlightRequest

READ = 100_000
"""Number of characters of a text that are read."""

Match = Callable[[str], Sequence[Token]]
"""Function that returns the words of a text that match the query, in order."""


@dataclass(frozen=True, slots=True)
class _Free:
    """A part of a text, characters [start, stop), that no snippet has. words: its matches."""

    start: int
    stop: int
    words: Sequence[Token]


def highlights(document: Document, match: Match, request: HighlightRequest) -> list[Highlight]:
    """Return the snippets of a document: first of its title, then of its text, the best first.

    A field without matching words has no snippet.
    """
    texts = {"title": document.title, "text": document.text}
    return [
        _highlight(name, texts[name], start, stop, words, request)
        for name in ("title", "text")
        if name in request.fields
        for start, stop, words in _snippets(texts[name][:READ], match, request)
    ]


def _highlight(
    field: str,
    text: str,
    start: int,
    stop: int,
    words: Sequence[Token],
    request: HighlightRequest,
) -> Highlight:
    spans = joined(words)
    marked = None
    if request.pre is not None and request.post is not None:
        pieces, at = [], start
        for low, high in spans:
            pieces += [escape(text[at:low]), request.pre, escape(text[low:high]), request.post]
            at = high
        marked = "".join([*pieces, escape(text[at:stop])])
    return Highlight(field, start, stop, text[start:stop], spans, marked)


def joined(words: Iterable[Token]) -> list[tuple[int, int]]:
    """Return the spans of words, which are in order. Overlapping words, as in Chinese, are one."""
    spans: list[tuple[int, int]] = []
    for word in words:
        if spans and word.start < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], word.end))
        else:
            spans.append((word.start, word.end))
    return spans


def _snippets(
    text: str, match: Match, request: HighlightRequest
) -> Iterator[tuple[int, int, Sequence[Token]]]:
    """Yield the start, the end and the matching words of each snippet."""
    free = [_Free(0, len(text), list(match(text)) if text else [])]
    for _ in range(request.fragments):
        found = [(_best(one.words, request.size), one) for one in free if one.words]
        if not found:
            return
        (_, first, last), among = max(found, key=lambda pair: pair[0][0])
        free.remove(among)
        start, stop = _widened(
            text, among, among.words[first].start, among.words[last - 1].end, request.size
        )
        yield start, stop, [one for one in among.words if one.start >= start and one.end <= stop]
        before = [one for one in among.words if one.end <= start]
        after = [one for one in among.words if one.start >= stop]
        free += [_Free(among.start, start, before), _Free(stop, among.stop, after)]
        free.sort(key=lambda one: one.start)  # `max` takes the first of equal ones.


def _best(words: Sequence[Token], size: int) -> tuple[tuple[int, int], int, int]:
    """Return the best window: its numbers of terms and words, and the range of its words."""
    best, found = (0, 0), (0, 1)
    last = 0
    inside: dict[str, int] = {}
    for first, word in enumerate(words):
        while last < len(words) and (
            words[last].end - word.start <= size or last == first
        ):  # A longer word has a window of its own.
            inside[words[last].term] = inside.get(words[last].term, 0) + 1
            last += 1
        score = (len(inside), last - first)
        if score > best:
            best, found = score, (first, last)
        inside[word.term] -= 1
        if not inside[word.term]:
            del inside[word.term]
    return best, *found


def _widened(text: str, free: _Free, first: int, last: int, size: int) -> tuple[int, int]:
    """Return a range of about `size` characters around [first, last), without parts of words.

    free: the part of the text in which the range must be.
    """
    spare = max(0, size - (last - first))
    start = max(free.start, first - spare // 2)
    stop = max(last, min(free.stop, start + size))
    start = max(free.start, min(start, stop - size))
    while 0 < start < first and _within_word(text, start):
        start += 1
    while last < stop < len(text) and _within_word(text, stop):
        stop -= 1
    while start < first and text[start].isspace():
        start += 1
    while last < stop and text[stop - 1].isspace():
        stop -= 1
    return start, stop


def _within_word(text: str, at: int) -> bool:
    """Return True if a word has characters on both sides of a position."""
    return not (text[at - 1].isspace() or text[at].isspace()) and (
        text[at - 1].isalnum() and text[at].isalnum()
    )
