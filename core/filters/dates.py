"""Converts ISO 8601 dates to instants, so that dates in different time zones compare correctly."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)
_ISO = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?:Z|[+-]\d{2}(?::?\d{2})?)?)?",
    re.ASCII,
)


@lru_cache(maxsize=65_536)
def instant(text: str) -> int | None:
    """Return an ISO 8601 date as microseconds since 1970 in UTC; None for any other text.

    Examples: `2024-05-01`, `2024-05-01T12:30:00+02:00`. A date without a time means midnight. A
    date without a time zone is in UTC.
    """
    if len(text) > 40 or not _ISO.fullmatch(text.upper()):
        return None
    try:
        found = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    offset = found.utcoffset() or timedelta(0)
    return (found.replace(tzinfo=None) - _EPOCH - offset) // _MICROSECOND


def date_text(microseconds: int) -> str:
    """Return an instant, in microseconds since 1970 in UTC, as an ISO 8601 date.

    The function `instant` converts the date back to the same number. Raises ValueError for an
    instant outside the years 1 to 9999.
    """
    at = timedelta(microseconds=microseconds)
    for minutes, zone in ((0, "Z"), (1439, "+23:59"), (-1439, "-23:59")):
        try:  # Only a time zone can express instants just outside the years 1 to 9999 of UTC.
            return f"{(_EPOCH + (at + timedelta(minutes=minutes))).isoformat()}{zone}"
        except OverflowError:
            continue
    raise ValueError(f"{microseconds} microseconds since 1970 is outside the years 1 to 9999")
