"""Finds the structure of a text: headings, pages, and lines that should stay whole.

The structure is in the text itself. Headings, tables, lists and fenced code are those of Markdown
(CommonMark). A form feed begins a new page. So documents from every source have the same structure,
and nothing besides the text is stored.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Markup = Literal["markdown", "plain", "python", "code"]
"""The syntax of a text, which decides what is recognised in it.

markdown: headings, tables, lists, fenced code and pages.
plain:    pages.
python:   Python source code. Classes and functions count as headings; each line stays whole.
code:     other source code. Each line stays whole.
"""

_PLAIN = frozenset({"text/plain", "text/csv", "text/tab-separated-values"})
_PYTHON = frozenset({"text/x-python", "text/x-python-script"})
_CODE = frozenset(
    {"application/json", "application/toml", "application/yaml", "application/xml", "text/css",
     "application/javascript", "application/sql", "text/javascript", "text/xml"}
)  # fmt: skip

_SCANNED = re.compile(
    r"""\n(?P<indent>[ \t]*+)(?:
        (?P<fence>`{3,}(?=[^`\n]*$)|~{3,})
        |(?P<comment><!--)
        |(?P<marks>\#{1,6})(?:[ \t]+(?P<title>[^\n]*))?$
        |(?P<line>=+|-+)[ \t]*$
    )""",
    re.MULTILINE | re.VERBOSE,
)
"""The lines of Markdown that begin or end fenced code, begin a comment, or may belong to a heading.

The pattern, and each alternative in it, begins with a plain character, which Python finds fast."""
_INDENTS = frozenset({"", " ", "  ", "   "})
"""Indentations that a heading or comment may have. Fenced code may be indented further."""
_NOT_A_PARAGRAPH = re.compile(
    r" {4}|\t| {0,3}(?:[>|]|```|~~~|[-+*][ \t]|\d+[.)][ \t]|#{1,6}(?:[ \t\r]|$)|[-=:| \t\r]+$)"
)
"""A line that an underline does not make a heading: code, quote, table, list or underline."""
_DEFINITION = re.compile(r"^( {0,8}|\t{0,2})((?:async[ ]+)?def|class)[ ]+(\w+)", re.MULTILINE)
_ROW = re.compile(r"^[ ]{0,3}\|[^\n]*(?:\n[ ]{0,3}\|[^\n]*)*", re.MULTILINE)
"""Adjacent rows of a table."""
_WORD = re.compile(r"[^\s\ufeff]")
_ITEM = re.compile(r"^[ \t]*(?:[-+*]|\d{1,9}[.)])[ \t]+(?=\S)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of a text.

    start: offset of the heading's first character.
    end:   offset after its last character, or after the last character of its underline.
    level: 1 (highest) to 6.
    title: text of the heading, without marks; may be empty.
    above: index in `Outline.headings` of the higher heading whose section contains this heading;
           None: there is none.
    """

    start: int
    end: int
    level: int
    title: str
    above: int | None = None


@dataclass(frozen=True, slots=True)
class Outline:
    """The headings, pages and code of a text.

    headings: in the order of the text.
    pages:    offset of the first character of each page except the first.
    code:     start and end of each block of fenced code, with its fences. Source code is one block.
    written:  syntax of the text.
    """

    headings: Sequence[Heading] = ()
    pages: Sequence[int] = ()
    code: Sequence[tuple[int, int]] = ()
    written: Markup = "markdown"

    def page(self, offset: int) -> int | None:
        """Return the number of the page at an offset, from 1; None if the text has no pages."""
        return 1 + bisect_right(self.pages, offset) if self.pages else None

    def is_code(self, offset: int) -> bool:
        """Return True if an offset is in one of the blocks in `code`."""
        before = bisect_right(self.code, offset, key=lambda block: block[0])
        return before > 0 and offset < self.code[before - 1][1]

    def path(self, offset: int) -> tuple[str, ...]:
        """Return the titles of the headings above an offset, from the highest level down.

        A heading that begins at `offset` is included. Headings without a title are left out.
        """
        return self._titles(self._latest(offset))

    def above(self, offset: int) -> tuple[str, ...]:
        """Return the titles of the headings above an offset, from the highest level down.

        Unlike in `path`, a heading that begins at `offset` is left out.
        """
        latest = self._latest(offset)
        if latest is not None and self.headings[latest].start == offset:
            latest = self.headings[latest].above
        return self._titles(latest)

    def _latest(self, offset: int) -> int | None:
        """Return the index of the last heading that begins at or before an offset."""
        count = bisect_right(self.headings, offset, key=lambda heading: heading.start)
        return count - 1 if count else None

    def _titles(self, at: int | None) -> tuple[str, ...]:
        titles = []
        while at is not None:
            titles.append(self.headings[at].title)
            at = self.headings[at].above
        return tuple(title for title in reversed(titles) if title)


def markup(metadata: Mapping[str, Any]) -> Markup:
    """Return the syntax of a document's text, according to the media type in its metadata.

    metadata: metadata of the document. Its field `type` may be a media type, such as "text/plain".

    Returns "markdown" if `type` is missing or is not a string, and for unknown media types.
    """
    given = metadata.get("type")
    if not isinstance(given, str):
        return "markdown"
    kind = given.partition(";")[0].strip().lower()
    if kind in _PYTHON:
        return "python"
    if kind in _PLAIN:
        return "plain"
    return "code" if kind in _CODE or kind.startswith("text/x-") else "markdown"


def outline(text: str, written: Markup = "markdown") -> Outline:
    """Return the headings, pages and code of a text, in linear time."""
    pages = tuple(match.end() for match in re.finditer("\f", text))
    if written == "markdown":
        lines = list(_scan(text))
        code = [(start, end) for start, end, level, _ in lines if not level]
        return Outline(_nested(line for line in lines if line[2]), pages, code)
    headings = _nested(_definitions(text)) if written == "python" else ()
    return Outline(headings, pages, () if written == "plain" else [(0, len(text))], written)


def _nested(headings: Iterable[_Line]) -> tuple[Heading, ...]:
    """Return the headings, each with the index of the higher heading that it belongs to."""
    found: list[Heading] = []
    open_: list[int] = []
    for heading in headings:
        while open_ and found[open_[-1]].level >= heading[2]:
            open_.pop()
        found.append(Heading(*heading, open_[-1] if open_ else None))
        open_.append(len(found) - 1)
    return tuple(found)


def whole_lines(text: str, found: Outline) -> Iterator[tuple[int, int]]:
    """Yield the ranges of a text whose lines should stay whole: code and the rows of tables.

    Each range is (offset of its first line, offset of the end of its last line), ascending.

    found: the outline of the text.
    """
    rows = _ROW.finditer(text) if found.written == "markdown" else ()
    covered = 0
    for start, end in sorted([*found.code, *(match.span() for match in rows)]):
        if start >= covered:
            yield start, end
            covered = end


def items(text: str, written: Markup = "markdown") -> Iterator[int]:
    """Yield the offset of each line that begins like an item of a list, ascending.

    Lines inside fenced code are included. Yields nothing for a text that is not Markdown.
    """
    if written == "markdown":
        for match in _ITEM.finditer(text):
            yield match.start()


def first_word(text: str) -> int:
    """Return the offset of the first character that is not white space; 0 if there is none."""
    found = _WORD.search(text)
    return found.start() if found else 0


def first_heading(text: str) -> str:
    """Return the title of the first Markdown heading that has one; "" if there is none."""
    return next((title for _, _, _, title in _scan(text) if title), "")


_Line = tuple[int, int, int, str]
"""(start, end, level, title) of a heading; of fenced code the level is 0 and the title ""."""


def _scan(text: str) -> Iterator[_Line]:
    """Yield the headings and the fenced code of a Markdown text, ascending.

    Lines inside a comment (`<!-- ... -->`) that begins at the start of a line are skipped.
    """
    fence, start, skipped = "", 0, 0
    # Every line begins with a line end; the offsets are one higher than in `text`.
    lines = f"\n{text}".replace("\f", "\n").replace("\r", " ").replace("\n\ufeff", "\n ", 1)
    for match in _SCANNED.finditer(lines):
        at, end = match.start(), match.end() - 1
        if at < skipped:
            continue
        if match["fence"]:
            before, fence = fence, _after_fence(fence, match["fence"], lines, match.end())
            if fence and not before:
                start = at
            elif before and not fence:
                yield start, end, 0, ""
        elif fence or match["indent"] not in _INDENTS:
            continue
        elif match["comment"]:
            closed = lines.find("-->", match.end())
            skipped = len(lines) if closed < 0 else closed
        elif match["marks"]:
            yield match.start("marks") - 1, end, len(match["marks"]), _title(match["title"] or "")
        elif (above := _underlined(text, at)) is not None:
            title = text[above:at].strip()
            yield text.find(title, above), end, 1 if match["line"][0] == "=" else 2, title
    if fence:
        yield start, len(text), 0, ""


def _after_fence(fence: str, found: str, text: str, end: int) -> str:
    """Return the open fence after a line of fence marks; "" if none is open.

    fence: the open fence before this line.
    found: the marks of the line, which end at `end`.
    """
    if not fence:
        return found
    stop = text.find("\n", end)
    rest = text[end : len(text) if stop < 0 else stop]
    closes = found[0] == fence[0] and len(found) >= len(fence) and not rest.strip()
    return "" if closes else fence


def _title(title: str) -> str:
    """Return the title on a heading line without the closing marks: `Title ##` is "Title"."""
    title = title.strip()
    bare = title.rstrip("#")
    return bare.rstrip() if bare[-1:] in ("", " ", "\t") else title  # The # of "C#" is text.


def _underlined(text: str, line: int) -> int | None:
    """Return the offset of the heading above an underline; None if there is no heading.

    The text above is a heading if it is a paragraph of a single line.

    line: offset of the underline.
    """
    if line == 0 or text[line - 1] != "\n":
        return None
    above = text.rfind("\n", 0, line - 1) + 1
    above = max(above, text.rfind("\f", above, line) + 1)
    title = text[above : line - 1]
    if not title.strip() or _NOT_A_PARAGRAPH.match(title):
        return None
    if above > 0 and text[above - 1] == "\n":
        before = text.rfind("\n", 0, above - 1) + 1
        if text[before : above - 1].strip():
            return None
    return above


def _definitions(text: str) -> Iterator[_Line]:
    """Yield the classes and functions of Python source code that are indented at most twice."""
    for match in _DEFINITION.finditer(text):
        depth = len(match[1].expandtabs(4)) // 4
        yield match.start(2), match.end(), depth + 1, f"{match[2].split()[-1]} {match[3]}"
