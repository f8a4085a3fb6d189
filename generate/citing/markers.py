"""Finds markers such as [1] in a text that arrives in pieces.

Accepted forms: `[1]`, `[1, 2]`, `[1; 2]`, `[1-3]`, `[1, 2 and 3]`, `[Source 1]`, `[^1]`, `[[1]]`,
`【1】`, `【1†text】`, `［1］`. Only the numbers of sources that were sent are valid. Text that may
become a marker is held back until the following characters decide, so that a part of a marker is
never returned. The result does not depend on how the text is divided into pieces.

A number above `LARGEST` counts as `LARGEST`, so that every client can read it.

Two uses of brackets need a decision:

- Code: brackets in a code span (`a[1]` between backticks) or in a fenced block are text. Elsewhere,
  `a[1]` is a word and a marker, because many models write a marker without a space before it.
- Links: `[1](https://...)` is a marker. The address is left out, because the model wrote it, not
  the source. At the start of a line, the colon of a footnote `[^1]: ...` is left out too. Other
  links, such as `[kiwi](https://...)`, are text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LONGEST = 500
"""Maximum number of characters of a marker."""

LARGEST = 999_999_999
"""Largest number that a marker reports."""

LONGEST_CODE = 200
"""Maximum number of characters between the backticks of a code span."""

LONGEST_LINK = 2_000
"""Maximum number of characters of the address after a marker."""

_NOUNS = (
    *("source", "sources", "document", "documents", "doc", "docs", "passage", "passages"),
    *("ref", "refs", "reference", "references", "citation", "citations", "quelle", "quellen"),
)
_JOINS = ("and", "und", "or", "oder", "to", "bis")
_SCHEMES = ("http://", "https://", "www.", "#", "/", "mailto:")


def _any(words: Sequence[str]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


def _begun(words: Sequence[str]) -> str:
    return _any(sorted({word[:end] for word in words for end in range(1, len(word) + 1)}))


_S = r"[^\S\n]*"
_NOUN = rf"(?:(?:{_any(_NOUNS)})[.:]?{_S})?"
_TOKEN = (  # A token has one reading only, so that a long list is read in linear time.
    rf"{_S}(?:[#^]?\d+(?!\d)|[,;&/、，；]|[-–—‐‑]|(?:{_any((*_NOUNS, *_JOINS))})(?![^\W\d_])[.:]?)"
)
_FIRST = rf"(?={_S}{_NOUN}[#^]?\d)"
_LAST = rf"(?<=\d)(?:(?::\d+)?†[^\[\]【】［］\n]{{0,60}})?{_S}"
_INNER = rf"{_FIRST}((?:{_TOKEN})+){_LAST}"
_MARKER = re.compile(rf"\[\[{_INNER}\]\]|[\[【［]{_INNER}[\]】］]", re.IGNORECASE)
_BEGUN = re.compile(
    rf"(?:(\[\[)|[\[【［]){_S}(?:(?:{_begun(_NOUNS)})|{_NOUN}[#^]?"
    rf"(?:\d(?:[\d#^,;&/、，；:–—‐‑-]|[^\S\n]|(?:{_any(_JOINS)})|(?:{_any(_NOUNS)})[.:]?)*"
    rf"(?:{_begun((*_JOINS, *_NOUNS))}|†[^\[\]【】［］\n]{{0,60}}[^\S\n]*)?(?(1)\]?))?)",
    re.IGNORECASE,
)
"""Text that may become a marker when more text follows."""
_RANGE = re.compile(rf"(\d+)(?:{_S}(?:[-–—‐‑]|to|bis){_S}(\d+))?", re.IGNORECASE)
_LINK = re.compile(rf"\((?:{_any(_SCHEMES)})[^\s()]{{0,{LONGEST_LINK}}}\)", re.IGNORECASE)
_LINK_BEGUN = re.compile(
    rf"\((?:(?:{_any(_SCHEMES)})[^\s()]{{0,{LONGEST_LINK}}}|{_begun(_SCHEMES)})?", re.IGNORECASE
)
_SPECIAL = re.compile(r"[\[【［`]")
_RUN = re.compile("`+")
_LINE_START = re.compile(r"\s*(?:[*•-]\s+|\d{1,3}[.)]\s+)?")


@dataclass(frozen=True, slots=True)
class Marker:
    """A marker in a text.

    numbers: the valid numbers, in order, each once.
    invalid: the numbers in the marker that no source has.
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
        self._line = ""  # Start of the current line, as far as it was returned.
        self._fence = 0  # Number of backticks that opened a fenced block; 0 outside.

    def feed(self, piece: str) -> Iterator[str | Marker]:
        """Yield the texts and markers that are complete after this piece."""
        yield from self._parts(self._held + piece, last=False)

    def close(self) -> Iterator[str | Marker]:
        """Yield the rest of the text, without the beginning of a marker at its end."""
        held, self._held = self._held, ""
        yield from self._parts(held, last=True)

    def _parts(self, text: str, *, last: bool) -> Iterator[str | Marker]:
        self._held = ""
        done = scanned = 0
        while (found := _SPECIAL.search(text, scanned)) is not None:
            at = found.start()
            if text[at] == "`":
                line = self._line_before(text, done, at)
                end = self._after_backticks(text, at, line, last=last)
                if end is None:
                    break
                scanned = end
                continue
            if self._fence:
                scanned = at + 1
                continue
            match = _MARKER.match(text, at, at + LONGEST)
            if match is not None:
                end = self._after_marker(text, match, done, last=last)
                if end is None:
                    break
                if at > done:
                    yield self._text(text[done:at])
                yield self._marker(match[1] or match[2])
                done = scanned = end
            elif len(text) - at < LONGEST and _BEGUN.fullmatch(text, at):
                if not last:
                    break
                if at > done:
                    yield self._text(text[done:at])
                if _SPECIAL.match(text, at + 1) is None:
                    return
                done = scanned = at + 1
            else:
                scanned = at + 1
        end = len(text) if found is None else at
        if end > done:
            yield self._text(text[done:end])
        self._held = text[max(done, end) :]

    def _text(self, text: str) -> str:
        """Return the text, and remember the start of its last line."""
        _, newline, rest = text.rpartition("\n")
        self._line = (rest if newline else self._line + rest)[:LONGEST_CODE]
        return text

    def _line_before(self, text: str, done: int, at: int) -> str:
        """Return the text from the start of the line of position `at` to this position.

        done: end of the part of `text` that was returned.
        """
        start = text.rfind("\n", done, at) + 1
        return text[start:at] if start else self._line + text[done:at]

    def _after_marker(
        self, text: str, match: re.Match[str], done: int, *, last: bool
    ) -> int | None:
        """Return the end of a marker with its link or colon; None if the end is not known yet."""
        end = match.end()
        if end == len(text):
            return end if last else None
        if text[end] == "(":
            if (link := _LINK.match(text, end)) is not None:
                return link.end()
            if not last and _LINK_BEGUN.fullmatch(text, end):
                return None
        if text[end] == ":" and _LINE_START.fullmatch(self._line_before(text, done, match.start())):
            return end + 1
        return end

    def _after_backticks(self, text: str, at: int, line: str, *, last: bool) -> int | None:
        """Return the end of the code that begins with the backticks at position `at`.

        Returns the end of the backticks if no code begins there, and None if the end is not known
        yet.

        line: text of the line before the backticks.
        """
        run = _RUN.match(text, at)
        assert run is not None, "the text begins with a backtick"
        end, size = run.end(), run.end() - at
        if end == len(text) and not last:
            return None
        if size >= 3 and not line.strip():
            newline = text.find("\n", end, end + LONGEST_CODE)
            if newline < 0 and not last and len(text) < end + LONGEST_CODE:
                return None
            info = text[end : len(text) if newline < 0 else newline]
            if self._fence:
                if size >= self._fence and not info.strip():
                    self._fence = 0
                return end
            if newline >= 0 and "`" not in info:
                self._fence = size
                return newline
        if self._fence:
            return end
        limit = end + LONGEST_CODE
        newline = text.find("\n", end, limit)
        for closing in _RUN.finditer(text, end, limit if newline < 0 else newline):
            if closing.end() == len(text) and not last:
                return None
            if closing.end() - closing.start() == size:
                return closing.end()
        return end if last or newline >= 0 or len(text) >= limit else None

    def _marker(self, inner: str) -> Marker:
        numbers: dict[int, None] = {}
        invalid: dict[int, None] = {}
        for match in _RANGE.finditer(inner):
            first = min(int(match[1]), LARGEST)
            last = min(int(match[2] or match[1]), LARGEST)
            for number in (first, last):
                if not 1 <= number <= self._count:
                    invalid[number] = None
            numbers.update(dict.fromkeys(range(max(1, first), min(last, self._count) + 1)))
            if last < first:  # A range that is written backwards, such as [3-1].
                numbers.update(dict.fromkeys(n for n in (first, last) if 1 <= n <= self._count))
        return Marker(tuple(numbers), tuple(invalid))
