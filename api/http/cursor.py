"""Opaque cursors: where a listing goes on, bound to what it lists.

A filter must have been parsed before: the serialiser takes no value of any depth.
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
    """The cursor of the page that follows the document `after`."""
    return base64.urlsafe_b64encode(orjson.dumps([after, _digest(condition)])).decode().rstrip("=")


def decode(cursor: str, condition: Mapping[str, Any] | None) -> str:
    """The id after which to go on. Raises InvalidInputError for a cursor that is not of this
    listing."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        after, digest = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError):
        raise InvalidInputError(
            "is not a cursor; give `next_cursor` as it is", field="cursor"
        ) from None
    if not isinstance(after, str) or digest != _digest(condition):
        raise InvalidInputError("belongs to a listing with another filter", field="cursor")
    return after


def _digest(condition: Mapping[str, Any] | None) -> str:
    return sha256(orjson.dumps(condition, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
