"""Opaque cursors: the position in a list of documents, bound to the filter of the list.

Callers must parse the filter first, because the JSON serialiser limits the depth of a value.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import orjson

from ...core import InvalidInputError


def encode(after: str, condition: Mapping[str, Any] | None) -> str:
    """Return the cursor of the page that follows the document `after`.

    condition: the filter of the list.
    """
    return base64.urlsafe_b64encode(orjson.dumps([after, _digest(condition)])).decode().rstrip("=")


def decode(cursor: str, condition: Mapping[str, Any] | None) -> str:
    """Return the id of the document before the page.

    Raises InvalidInputError for a malformed cursor, and for the cursor of another filter.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        after, digest = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError):
        raise InvalidInputError(
            "is not a cursor; send `next_cursor` unchanged", field="cursor"
        ) from None
    if not isinstance(after, str) or digest != _digest(condition):
        raise InvalidInputError("belongs to another filter; send the same filter", field="cursor")
    return after


def _digest(condition: Mapping[str, Any] | None) -> str:
    return sha256(orjson.dumps(condition, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
