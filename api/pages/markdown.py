"""Convert Markdown into blocks of text without markup. Code keeps its lines.

This is not a full parser: it removes the common markup and keeps everything else. The time is
linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, heading, list item or table row; lines of code if `code` is True."""

    text: str
    code: bool = False


_FENCE = re.compile(r"[ ]{0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r"[ ]{0,3}#{1,6}[ \t]+")
_RULE = re.compile(r"[ ]{0,3}(?:-{3,}|\*{3,}|_{3,}|={3,})[ \t]*\n?\Z")
_TABLE_RULE = re.compile(r"[ ]{0,3}\|[-:| \t]{3,}\n?\Z")
_OWN_LINE = re.compile(r"[ \t]{0,12}(?:[-*+][ \t]|\d{1,9}[.)][ \t]|\||>)")
_INDENTED = re.compile(r"(?:[ ]{4}|\t)[ \t]*\S")
# Bounded repetitions keep the time linear for every text.
_INLINE = re.compile(
    r"`([^`\n]{1,200})`"
    r"|!?\[([^\[\]\n]{0,300})\]\([^()\s]{0,1000}(?:[ \t]\"[^\"\n]{0,200}\")?\)"
    r"|(?<![\w*])\*{1,3}(?=[^\s*])([^*\n]{0,300}[^\s*])\*{1,3}(?![\w*])"
    r"|(?<![\w_])_{1,3}(?=[^\s_])([^_\n]{0,300}[^\s_])_{1,3}(?![\w_])"
)


def blocks(text: str) -> list[Block]:
    """Split a Markdown text into blocks. Joined, the blocks are the text without its markup."""
    found: list[Block] = []
    prose: list[str] = []
    code: list[str] = []

    def end() -> None:
        if prose:
            text = _inline("".join(prose))
            if found and not found[-1].code and not text.strip():
                found[-1] = Block(found[-1].text + text)
            else:
                found.append(Block(text))
            prose.clear()
        if code:
            found.append(Block("".join(code), code=True))
            code.clear()

    fence = ""
    blank = True
    for line in _lines(text):
        mark = _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not line[mark.end() :].strip():
                fence = ""
                end()
            else:
                code.append(line)
            continue
        if mark:
            end()
            fence = mark[1]
            continue
        if not line.strip():
            (code or prose).append(line)
            blank = True
            continue
        if _INDENTED.match(line) and (code or (blank and not _OWN_LINE.match(line))):
            if not code:
                end()
            code.append(line)
            blank = False
            continue
        heading = _HEADING.match(line)
        if code or heading or blank or _OWN_LINE.match(line):
            end()
        if _TABLE_RULE.match(line) or (_RULE.match(line) and not _OWN_LINE.match(line)):
            continue
        prose.append(line[heading.end() :] if heading else line)
        if heading:
            end()
        blank = False
    end()
    return found


def _lines(text: str) -> Iterator[str]:
    """Yield the lines of a text, each with its newline. No other character ends a line."""
    at = 0
    while at < len(text):
        end = text.find("\n", at) + 1 or len(text)
        yield text[at:end]
        at = end


def _inline(text: str) -> str:
    """Return a text without the markup of emphasis, links and code, even if nested once."""
    for _ in range(2):
        text = _INLINE.sub(lambda match: next(g for g in match.groups() if g is not None), text)
    return text
