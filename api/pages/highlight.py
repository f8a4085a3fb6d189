"""Choose the excerpt of a text for a hit, and mark the words that match the query."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from ...core import Passage
from ...encoders import Token
from ...search.arranging.highlighting import joined
from .markdown import READ, Block, blocks, plain

Tokenize = Callable[[str], Sequence[Token]]


class Words(NamedTuple):
    """The words to mark in a text: those that `tokenize` maps to one of `terms`."""

    terms: Set[str]
    tokenize: Tokenize


LENGTH = 420
"""Number of characters in an excerpt of a long text."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of a text. marked: True if the page marks it, because it matches the query."""

    text: str
    marked: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A block of an excerpt. kind: see `Block`."""

    fragments: Sequence[Fragment]
    kind: str


@dataclass(frozen=True, slots=True)
class Excerpt:
    """An excerpt of a text.

    blocks:     paragraphs and code of the excerpt, in order.
    cut_before: True if the text has more before the excerpt.
    cut_after:  True if the text has more after the excerpt.
    """

    blocks: Sequence[Shown]
    cut_before: bool
    cut_after: bool

    @property
    def fragments(self) -> list[Fragment]:
        """The marked and unmarked pieces of the excerpt, in order."""
        return [fragment for block in self.blocks for fragment in block.fragments]


def fragments(text: str, terms: Set[str], tokenize: Tokenize) -> list[Fragment]:
    """Split a text into fragments. Marks the words that `tokenize` maps to one of `terms`."""
    return _split(text, 0, len(text), _spans(text, terms, tokenize))


def excerpt(
    text: str,
    terms: Set[str],
    tokenize: Tokenize,
    passage: Passage | None = None,
    length: int = LENGTH,
    *,
    title: str = "",
    markdown: bool = True,
) -> Excerpt:
    """Return the stretch of a passage that has the most matching words.

    The excerpt has about `length` characters. It begins at a sentence if one starts nearby, else at
    a word. If several stretches are equally good, the first is returned.

    terms:    terms to mark.
    passage:  passage to take the excerpt from; None: the whole text.
    title:    title of the document; if the first line of the text is the title, the line is not
              shown.
    markdown: True: the markup of Markdown is not shown.
    """
    begin, stop = (0, len(text)) if passage is None else (passage.start, passage.end)
    stop = min(stop, begin + READ)
    # Also read the text before the passage, because the passage may begin inside code.
    origin = text.rfind("\n", 0, max(0, begin - READ)) + 1
    whole = blocks(text[origin:stop], markdown=markdown)
    parts = [part.clipped(begin - origin, stop - origin) for part in whole]
    shown_text = "".join(part.text for part in parts)
    spans = _spans(shown_text, terms, tokenize)
    first = 0 if begin else _after_title(shown_text, plain(title) if markdown else title)
    low, high = first, len(shown_text)
    if high - low > length:
        best, most = first, 0
        for i, (start, _) in enumerate(spans):
            if start < first:
                continue
            inside = sum(end <= start + length * 3 // 4 for _, end in spans[i : i + 100])
            if inside > most:
                best, most = start, inside
        low = max(first, min(best - length // 4, high - length))
        if low > first:
            low = max(first, _begin(shown_text, parts, low, best))
        high = _end(shown_text, low, min(low + length, high))
    shown = []
    at = 0
    for part in parts:
        start, end = max(at, low), min(at + len(part.text), high)
        at += len(part.text)
        if start < end:
            shown.append(Shown(_split(shown_text, start, end, spans), part.kind))
    cut_after = high < len(shown_text) or stop < len(text)
    return Excerpt(shown, begin > 0 or low > first, cut_after)


def _after_title(text: str, title: str) -> int:
    """Return the offset of the text after its first line if that line is the title, else 0."""
    title = title.strip()
    start = len(text) - len(text.lstrip())
    end = start + len(title)
    if not title or text[start:end] != title or text[end : end + 1] not in ("", "\n"):
        return 0
    return len(text) - len(text[end:].lstrip("\n"))


def _spans(text: str, terms: Set[str], tokenize: Tokenize) -> list[tuple[int, int]]:
    """Return the (start, end) of tokens whose term is in `terms`, in order; see `joined`."""
    return joined(token for token in (tokenize(text) if terms else ()) if token.term in terms)


_SENTENCE = re.compile(r"[.!?][\"')\]]?\s+|[\u3002\uff01\uff1f]")
_WORD = re.compile(r"\s+")
NEAR = 120
"""Maximum distance, in characters, that an excerpt moves to a border of a sentence or word."""


def _begin(text: str, parts: Sequence[Block], start: int, best: int) -> int:
    """Return where an excerpt begins: at a block or sentence near `start`, else at a word.

    best: offset of the first matching word. The excerpt begins there at the latest.
    """
    low, high = max(0, start - NEAR), min(start + NEAR, best)
    starts = [0, *accumulate(len(part.text) for part in parts)]
    ends = [at for at in starts if low <= at <= high]
    ends += [match.end() for match in _SENTENCE.finditer(text, low, high)]
    ends = ends or [match.end() for match in _WORD.finditer(text, low, high)]
    return min(ends, key=lambda end: abs(end - start), default=start)


def _end(text: str, start: int, end: int) -> int:
    """Return the end of the last whole word before `end`; `end` itself if no word ends nearby."""
    if end == len(text):
        return end
    at = end
    while at > max(end - NEAR, start) and not text[at].isspace():
        at -= 1
    return at if text[at].isspace() else end


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
