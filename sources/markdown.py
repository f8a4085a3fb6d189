"""Front matter and titles of Markdown files."""

from __future__ import annotations

import re
from typing import Any

import orjson

_HEADING = re.compile(r"#{1,6}[ \t]")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*")
_NOT_A_PARAGRAPH = re.compile(r" {4}|\t| {0,3}([>|]|```|~~~|[-+*][ \t]|\d+[.)][ \t])")
"""The start of a line that an underline does not make a heading: code, quote, table or list."""
_FENCE = re.compile(r" {0,3}(```|~~~)")
_FRONT_MATTER_LINE = re.compile(r"([A-Za-z_][\w-]*):(?:[ \t]+(.*))?")
_LIST_ITEM = re.compile(r"[ \t]*-[ \t]+(.+)")


def split_front_matter(text: str) -> tuple[dict[str, Any], str]:
    """Return (metadata from the front matter, remaining text) of a Markdown file.

    Front matter is a block between lines of `---` at the start. A line is `key: value`, or `key:`
    with a list of `- value` lines below it, or `key:` alone, which means None. The metadata is
    empty if there is no front matter, or if it has other lines.
    """
    lines = text.split("\n")
    if lines[0].rstrip() != "---":
        return {}, text
    metadata: dict[str, Any] = {}
    list_key: str | None = None
    for number, line in enumerate(lines[1:], start=1):
        content = line.rstrip()
        if content in ("---", "..."):
            return metadata, "\n".join(lines[number + 1 :]).lstrip("\n")
        if not content or content.startswith("#"):
            continue
        if list_key is not None and (item := _LIST_ITEM.fullmatch(content)) is not None:
            metadata[list_key] = metadata[list_key] or []
            metadata[list_key].append(_scalar(item[1]))
            continue
        match = _FRONT_MATTER_LINE.fullmatch(content)
        if match is None:
            break
        key, value = match[1], match[2]
        metadata[key] = _scalar(value) if value else None
        list_key = None if value else key
    return {}, text


def _scalar(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    if text.startswith("[") and text.endswith("]"):
        return [_scalar(item.strip()) for item in text[1:-1].split(",") if item.strip()]
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    return text


def first_heading(text: str) -> str:
    """Return the text of the first heading outside code blocks; "" if there is none.

    A heading is a line that starts with `#`, or a paragraph of one line with a line of `=` or `-`
    below it.
    """
    fenced = False
    before, last = "", ""
    for line in text.split("\n"):
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced and (match := _HEADING.match(line)):
            title = line[match.end() :].strip()
            bare = title.rstrip("#")
            if bare != title and bare[-1:] in ("", " ", "\t"):  # The last # of "# C#" is text.
                title = bare.rstrip()
            if title:
                return title
        elif (
            not fenced
            and _UNDERLINE.fullmatch(line)
            and last.strip()
            and not before.strip()
            and not _NOT_A_PARAGRAPH.match(last)
        ):
            return last.strip()
        before, last = last, line
    return ""
