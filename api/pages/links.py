"""The addresses of documents: on the server, and of their sources on the web."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

_SOURCES = ("url", "source_url", "source", "link", "href", "uri", "homepage")
"""Metadata fields that usually contain the address of the source, the most reliable first."""


def page_address(fields: Mapping[str, str]) -> str:
    """Return the address of a document's page, relative to the search page.

    fields: query parameters of the page, such as `collection` and `id`.
    """
    return f"document?{urlencode(fields)}"


def raw_address(collection: str, document: str) -> str:
    """Return the REST address of a document, relative to the pages. document: id."""
    return f"v1/collections/{quote(collection, safe='')}/documents/{quote(document, safe='')}"


def web_address(value: object) -> str | None:
    """Return the value if it is an absolute http or https address, else None.

    Addresses that run scripts, such as `javascript:...`, therefore never become links.
    """
    if not isinstance(value, str) or not 8 <= len(value) <= 2_000:
        return None
    if not value.isprintable() or any(character.isspace() for character in value):
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    return value if parts.scheme in ("http", "https") and parts.hostname else None


def source(metadata: Mapping[str, Any]) -> str | None:
    """Return the first web address in a document's metadata; None if there is none.

    The fields in _SOURCES come first.
    """
    by_name = {name.lower(): value for name, value in metadata.items()}
    named = [by_name[name] for name in _SOURCES if name in by_name]
    found = (web_address(value) for value in [*named, *metadata.values()])
    return next((address for address in found if address), None)
