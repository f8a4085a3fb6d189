"""ISO 8601 dates as instants, so that time zones are compared rightly."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)
_ISO = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?:Z|[+-]\d{2}(?::?\d{2})?)?)?",
    re.ASCII,
)


@lru_cache(maxsize=65_536)
def instant(text: str) -> int | None:
    """Microseconds since 1970 in UTC of `2024-05-01` or `2024-05-01T12:30:00+02:00`; None for a
    text that is no such date.

    Without a time it is midnight, without a zone it is UTC.
    """
    if len(text) > 40 or not _ISO.fullmatch(text.upper()):
        return None
    try:
        found = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    offset = found.utcoffset() or timedelta(0)
    return (found.replace(tzinfo=None) - _EPOCH - offset) // _MICROSECOND


def earliest_text(microseconds: int) -> str | None:
    """A text that no date of this instant or a later one sorts before; None = there is none."""
    return _day(microseconds, -1)


def latest_text(microseconds: int) -> str | None:
    """A text that all dates of this instant or an earlier one sort before; None = there is none."""
    return _day(microseconds, 2)


def _day(microseconds: int, shift: int) -> str | None:
    # A zone is less than a day away from UTC.
    try:
        moved = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds, days=shift)
    except OverflowError:
        return None
    return moved.strftime("%Y-%m-%d").zfill(10)
