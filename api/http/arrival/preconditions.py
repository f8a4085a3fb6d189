"""`ETag`, `If-Match` and `If-None-Match` of documents (RFC 9110, section 13)."""

from __future__ import annotations

import re

from starlette.requests import Request

from ...serving.problems import Problem

_LIST = re.compile(r'[ \t]*(?:(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"[ \t]*(?:,[ \t]*|$))+')
_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_LONGEST = 8_192
"""Maximum number of characters of a header with tags."""

IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "Tags (`ETag`), one of which the stored document must have, or `*`; else 412.",
    "schema": {"type": "string"},
}
IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "Tags that the stored document must not have, or `*` for no document.",
    "schema": {"type": "string"},
}
"""OpenAPI parameters of the two headers."""


def etag(tag: str) -> dict[str, str]:
    """Return the header `ETag` for the `tag` of a document."""
    return {"ETag": f'"{tag}"'}


def if_match(request: Request) -> tuple[str, ...] | None:
    """Return the tags of `If-Match`, of which weak ones match nothing; None without the header.

    Raises Problem 400 for a header that is not `*` or a list of tags in double quotes.
    """
    found = _tags(request, "if-match")
    return None if found is None else tuple(tag for weak, tag in found if not weak)


def if_none_match(request: Request) -> tuple[str, ...] | None:
    """Return the tags of `If-None-Match`, without the mark of weak ones; see `if_match`."""
    found = _tags(request, "if-none-match")
    return None if found is None else tuple(tag for _, tag in found)


def _tags(request: Request, name: str) -> list[tuple[bool, str]] | None:
    given = request.headers.getlist(name)
    if not given:
        return None
    text = ", ".join(given).strip()
    if text == "*":
        return [(False, "*")]
    if len(text) > _LONGEST or not _LIST.fullmatch(text):
        raise Problem(400, f'the header {name} must be `*` or a list of tags such as "0a1b"')
    # A tag that is written as "*" is no wildcard, and no document has it.
    found = [(bool(weak), tag) for weak, tag in _TAG.findall(text)]
    return [(weak, tag) for weak, tag in found if tag != "*"]
