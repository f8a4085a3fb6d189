"""Opaque cursors of document lists. A cursor contains a position and a digest of the filter.

Callers must parse the filter first, because the JSON serialiser fails for a deeply nested value.
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
    """Return the cursor of the page that begins after the document with the id `after`.

    condition: the filter of the list; None: no filter.
    """
    return base64.urlsafe_b64encode(orjson.dumps([after, _digest(condition)])).decode().rstrip("=")


def decode(cursor: str, condition: Mapping[str, Any] | None) -> str:
    """Return the id of the document after which the page of `cursor` begins.

    Raises InvalidInputError for a malformed cursor, and if the cursor was made for another filter.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        after, digest = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError):
        raise InvalidInputError(
            "is not a cursor; send `next_cursor` of the last reply unchanged", field="cursor"
        ) from None
    if not isinstance(after, str) or digest != _digest(condition):
        raise InvalidInputError(
            "was returned for another filter; send the cursor with the same filter", field="cursor"
        )
    return after


def _digest(condition: Mapping[str, Any] | None) -> str:
    return sha256(orjson.dumps(condition, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
