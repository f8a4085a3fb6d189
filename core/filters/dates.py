"""ISO 8601 dates as instants, so that time zones are compared rightly."""

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


def date_text(microseconds: int) -> str:
    """A date that `instant` reads as this instant."""
    at = timedelta(microseconds=microseconds)
    for minutes, zone in ((0, "Z"), (1439, "+23:59"), (-1439, "-23:59")):
        try:  # Instants before the first day, or after the last, need a zone.
            return f"{(_EPOCH + (at + timedelta(minutes=minutes))).isoformat()}{zone}"
        except OverflowError:
            continue
    raise ValueError(f"{microseconds} microseconds since 1970 are no date")
