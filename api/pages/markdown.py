"""Read Markdown as blocks of text without markup. Code keeps its line breaks.

This is not a full parser: it removes the common markup and keeps everything else. The time is
linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ...core import Document
from ...sources.structure import markup

READ = 20_000
"""Number of characters at the start of a text that are searched for the markup of Markdown."""
HIDDEN = "\0"
"""Replaces each character of markup, so that offsets in a text do not change."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a text.

    kind:   "paragraph" (also a list item), "heading", "row" of a table, or "code".
    start:  offset of the block in the text.
    masked: the block's part of the text, with HIDDEN for every character of markup.
    level:  1 to 6 for a heading, else 0.
    """

    kind: str
    start: int
    masked: str
    level: int = 0

    @property
    def text(self) -> str:
        """The text of the block without markup."""
        return self.masked.replace(HIDDEN, "")

    def clipped(self, start: int, end: int) -> Block:
        """Return the part of the block between two offsets in the text; it may be empty."""
        low, high = max(0, start - self.start), max(0, end - self.start)
        return replace(self, start=self.start + low, masked=self.masked[low:high])


_FENCE = re.compile(r"[ ]{0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r"[ ]{0,3}(#{1,6})[ \t]+")
_HEADING_END = re.compile(r"(?<=[ \t])#+[ \t]{0,20}(?=\n?\Z)")
_RULE = re.compile(r"[ ]{0,3}(?:-{3,}|\*{3,}|_{3,}|={3,})[ \t]*\n?\Z")
_TABLE_RULE = re.compile(r"[-: \t]*\|[-:| \t\r]*\n?\Z")
_OWN_LINE = re.compile(r"[ \t]{0,12}(?:[-*+][ \t]|\d{1,9}[.)][ \t]|\||>)")
_ROW = re.compile(r"[ \t]*\|[ \t]*")
_ROW_END = re.compile(r"[ \t]{0,20}\|[ \t]{0,20}\n?\Z")
_INDENTED = re.compile(r"(?:[ ]{4}|\t)[ \t]*\S")
# Bounded repetitions keep the time linear for every text.
_INLINE = re.compile(
    r"(?<!`)(?P<ticks>`{1,3})(?!`)(?P<code>[^`]{1,200})(?P=ticks)(?!`)"
    r"|!?\[(?P<link>[^\[\]]{0,300})\]\([^()\s]{0,1000}(?:[ \t]\"[^\"\n]{0,200}\")?\)"
    r"|(?<![\w*])\*{1,3}(?=[^\s*])(?P<stars>[^*]{0,300}[^\s*])\*{1,3}(?![\w*])"
    r"|(?<![\w_])_{1,3}(?=[^\s_])(?P<lines>[^_]{0,300}[^\s_])_{1,3}(?![\w_])"
)
_SIGN = re.compile(
    r"^[ ]{0,3}(?:#{1,6}[ ]|```|~~~|\|[-:| ]*-)"
    r"|(?<!\w)\*\*\w[^*\n]{0,200}[^\s*]\*\*(?!\w)"
    r"|(?<!\w)\[[^\[\]\n]{1,200}\]\(",
    re.MULTILINE,
)


def is_markdown(document: Document) -> bool:
    """Return True if the id is a name of a Markdown file, or if the text has Markdown's markup.

    A text file (`.txt`) is not Markdown, nor is a document with another media type in its metadata.
    """
    if markup(document.metadata) != "markdown":
        return False
    name = document.id.lower()
    if name.endswith((".md", ".markdown")):
        return True
    return not name.endswith(".txt") and _SIGN.search(document.text, 0, READ) is not None


def blocks(text: str, *, markdown: bool = True) -> list[Block]:
    """Split a text into adjacent blocks, which together cover the whole text.

    markdown: False: the text has no markup, only paragraphs, list items and indented code.
    """
    kinds: list[tuple[str, int]] = [("paragraph", 0)]
    parts: list[list[str]] = [[]]
    fence = ""
    # `open_`: the next line may continue the last block. `blank`: the last line was blank.
    open_, blank = False, True

    def begin(kind: str, level: int = 0) -> None:
        if not any(parts[-1]):
            parts.pop()
            kinds.pop()
        kinds.append((kind, level))
        parts.append([])

    for line in _lines(text):
        mark = _FENCE.match(line) if markdown else None
        if fence:
            closes = mark and mark[1].startswith(fence) and not line[mark.end() :].strip()
            parts[-1].append(_hidden(line) if closes else line)
            if closes:
                fence, open_ = "", False
            continue
        if mark:
            fence = mark[1]
            begin("code")
            parts[-1].append(_hidden(line))
            continue
        if not line.strip():
            after_code = kinds[-1][0] == "code" and not open_
            parts[-1].append(_hidden(line) if after_code else line)
            blank = True
            continue
        own = _OWN_LINE.match(line)
        code = open_ and kinds[-1][0] == "code"
        if _INDENTED.match(line) and (code or (blank and not own)):
            if not code:
                begin("code")
            parts[-1].append(line)
            open_, blank = True, False
            continue
        if markdown and (_TABLE_RULE.match(line) or (_RULE.match(line) and not own)):
            under = line.lstrip()[0]
            if under in "=-" and open_ and not blank and kinds[-1][0] == "paragraph":
                kinds[-1] = ("heading", 1 if under == "=" else 2)
            parts[-1].append(_hidden(line))
            open_ = False
            continue
        heading = _HEADING.match(line) if markdown else None
        if heading:
            begin("heading", len(heading[1]))
            line = _without(line, heading, _HEADING_END.search(line, heading.end()))
        elif markdown and (row := _ROW.match(line)):
            begin("row")
            line = _without(line, row, _ROW_END.search(line, row.end()))
        elif own or blank or code or not open_:
            begin("paragraph")
        parts[-1].append(line)
        open_, blank = not heading, False
    found, start = [], 0
    for (kind, level), lines in zip(kinds, parts, strict=True):
        masked = "".join(lines)
        if markdown and kind != "code":
            masked = _inline(masked)
        found.append(Block(kind, start, masked, level))
        start += len(masked)
    return found


def plain(text: str) -> str:
    """Return a text of one line, such as a title, without the markup of emphasis and code."""
    return _inline(text).replace(HIDDEN, "")


def _lines(text: str) -> Iterator[str]:
    """Yield the lines of a text, each with its newline. Only a newline character ends a line."""
    at = 0
    while at < len(text):
        end = text.find("\n", at) + 1 or len(text)
        yield text[at:end]
        at = end


def _hidden(text: str) -> str:
    return HIDDEN * len(text)


def _without(line: str, start: re.Match[str], end: re.Match[str] | None) -> str:
    """Return a line with the markup at its start and end replaced by HIDDEN. Keeps the newline."""
    stop = end.start() if end else len(line)
    newline = "\n" if end and line.endswith("\n") else ""
    rest = _hidden(line[stop : len(line) - len(newline)])
    return _hidden(line[: start.end()]) + line[start.end() : stop] + rest + newline


def _inline(text: str, depth: int = 3) -> str:
    """Return a text with the markup of emphasis, links and code replaced by HIDDEN.

    depth: number of levels of nested markup to replace.
    """

    def inner(match: re.Match[str]) -> str:
        kind = match.lastgroup or ""
        start, end = (at - match.start() for at in match.span(kind))
        kept = match[kind] if kind == "code" or depth == 1 else _inline(match[kind], depth - 1)
        return _hidden(match[0][:start]) + kept + _hidden(match[0][end:])

    return _INLINE.sub(inner, text)
