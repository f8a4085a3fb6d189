"""Finds markers such as [1] in a text that arrives in pieces.

Accepted forms: `[1]`, `[1, 2]`, `[1; 2]`, `[1-3]`, `[1 and 2]`, `[Source 1]`, `【1】`. Only the
numbers of sources that were sent are valid. Text that may become a marker is held back until the
following characters have decided, so half a marker is never returned.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST = 60
"""Maximum number of characters of a marker."""

_NUMBER = r"\d{1,9}(?:\s*[-–—]\s*\d{1,9})?"
_WORD = r"(?:(?:sources?|documents?|docs?|passages?|refs?)\.?\s*)?"
_MARKER = re.compile(
    rf"[\[【]\s*{_WORD}[#^]?({_NUMBER}(?:\s*(?:[,;&]|and)\s*{_WORD}{_NUMBER})*)\s*[\]】]",
    re.IGNORECASE,
)
_BEGUN = re.compile(r"[\[【][\s#^A-Za-z\d.,;&–—-]*")
"""Text that may become a marker when more text follows."""
_RANGE = re.compile(r"(\d+)(?:\s*[-–—]\s*(\d+))?")


@dataclass(frozen=True, slots=True)
class Marker:
    """A marker in a text.

    numbers: the valid numbers, in order, each once. invalid: the numbers that no source has.
    """

    numbers: tuple[int, ...]
    invalid: tuple[int, ...]


class MarkerParser:
    """Splits a text that arrives in pieces into text and markers.

    count: number of sources. Valid numbers are 1 to `count`.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._held = ""

    def feed(self, piece: str) -> Iterator[str | Marker]:
        """Yield the texts and markers that are complete after this piece."""
        text, self._held = self._held + piece, ""
        position = 0
        while (opening := _next_bracket(text, position)) is not None:
            match = _MARKER.match(text, opening)
            if match is not None and match.end() - opening <= LONGEST:
                if opening > position:
                    yield text[position:opening]
                yield self._marker(match[1])
                position = match.end()
                continue
            begun = _BEGUN.match(text, opening)
            assert begun is not None, "the text begins with a bracket"
            if begun.end() == len(text) and len(text) - opening < LONGEST:
                break  # More text decides.
            if opening + 1 > position:
                yield text[position : opening + 1]
            position = opening + 1
        end = len(text) if opening is None else opening
        if end > position:
            yield text[position:end]
        self._held = text[max(position, end) :]

    def close(self) -> Iterator[str | Marker]:
        """Yield the rest of the text. A marker without its end is dropped if it has a number."""
        held, self._held = self._held, ""
        if held and not re.fullmatch(r"[\[【][^A-Za-z]*\d[^A-Za-z]*", held):
            yield held

    def _marker(self, inner: str) -> Marker:
        numbers: dict[int, None] = {}
        invalid: dict[int, None] = {}
        for match in _RANGE.finditer(inner):
            first = int(match[1])
            last = int(match[2] or match[1])
            for number in (first, last):
                if not 1 <= number <= self._count:
                    invalid[number] = None
            numbers.update(dict.fromkeys(range(max(1, first), min(last, self._count) + 1)))
            if last < first:  # A range that is written backwards, such as [3-1].
                numbers.update(dict.fromkeys(n for n in (first, last) if 1 <= n <= self._count))
        return Marker(tuple(numbers), tuple(invalid))


def _next_bracket(text: str, start: int) -> int | None:
    found = [at for at in (text.find("[", start), text.find("【", start)) if at >= 0]
    return min(found, default=None)
