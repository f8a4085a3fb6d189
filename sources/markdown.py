"""Front matter of Markdown files."""

from __future__ import annotations

import re
from typing import Any

import orjson

from .records.exact_json import parse_json

_FRONT_MATTER_LINE = re.compile(r"([A-Za-z_][\w-]*):(?:[ \t]+(.*))?")
_LIST_ITEM = re.compile(r"[ \t]*-[ \t]+(.+)")


def split_front_matter(text: str) -> tuple[dict[str, Any], str]:
    """Return (metadata from the front matter, remaining text) of a Markdown file.

    Front matter is a block between lines of `---` at the start of the text. It consists of
    `key: value` lines, `key:` lines with a list of `- value` lines below, and `key:` lines alone,
    whose value is None. An integer beyond 64 bits is stored as text.

    Returns empty metadata and the whole text if there is no front matter, or if the block contains
    other lines.
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
        return _stored(parse_json(text.encode()))
    except orjson.JSONDecodeError:
        pass
    if text.startswith("[") and text.endswith("]"):
        return [_scalar(item.strip()) for item in text[1:-1].split(",") if item.strip()]
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    return text


def _stored(value: Any) -> Any:
    """Return a JSON value whose integers beyond 64 bits are text."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return str(value)
    if isinstance(value, dict):
        return {key: _stored(item) for key, item in value.items()}
    return [_stored(item) for item in value] if isinstance(value, list) else value
