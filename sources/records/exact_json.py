"""Parses JSON with exact integers."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

import orjson

_LONG = re.compile(rb"[0-9]{20}|-[0-9]{19}")
"""Matches integers that may not fit in 64 bits."""


def parse_json(text: bytes) -> Any:
    """Return the value of a JSON text (RFC 8259).

    Integers beyond 64 bits are exact, so that later checks of the value can refuse them.

    Raises orjson.JSONDecodeError for invalid JSON, such as NaN or a trailing comma, and for a
    number that is infinite as a float.
    """
    value = orjson.loads(text)
    if _LONG.search(text):  # orjson rounds an integer beyond 64 bits to a float.
        with suppress(RecursionError):  # Checks of the value refuse such a depth anyway.
            value = json.loads(text)
    return value
