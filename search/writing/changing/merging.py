"""Merge patches of metadata: RFC 7396."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ....core import Document
from ....sources import check_document


def merged(stored: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata after a merge patch, as RFC 7396 defines it.

    A null removes a field, an object is merged into an object, and any other value replaces the
    stored value.

    >>> merged({"a": 1, "b": {"c": 2, "d": 3}}, {"a": None, "b": {"c": 4}, "e": [5]})
    {'b': {'c': 4, 'd': 3}, 'e': [5]}
    """
    found = dict(stored)
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, Mapping):
            before = found.get(key)
            found[key] = merged(before if isinstance(before, Mapping) else {}, value)
        else:
            found[key] = value
    return found


def checked_patch(patch: object) -> dict[str, Any]:
    """Return a copy of a merge patch of metadata.

    Raises InvalidInputError, whose `field` begins with "metadata", if a document could not have
    this metadata.
    """
    return dict(check_document(Document("patch", "", metadata=patch)).metadata)  # type: ignore[arg-type]


def patched(document: Document, patch: Mapping[str, Any]) -> Document:
    """Return the document with the merge patch applied to its metadata."""
    return replace(document, metadata=merged(document.metadata, patch))
