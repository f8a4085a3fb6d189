"""Bounds on the texts of dates.

Metadata stores dates as ISO 8601 texts. A filter on a date looks up only the texts between two
bounds in an index of SQLite, and parses only these.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def earliest_text(microseconds: int) -> str | None:
    """Return a lower bound (inclusive) for the texts of all dates at this instant or later.

    microseconds: the instant, in microseconds since 1970 in UTC.

    Returns None if the text would be outside the years 1 to 9999.
    """
    return _day(microseconds, -1)


def latest_text(microseconds: int) -> str | None:
    """Return an upper bound (exclusive) for the texts of all dates at this instant or earlier.

    microseconds: the instant, in microseconds since 1970 in UTC.

    Returns None if the text would be outside the years 1 to 9999.
    """
    return _day(microseconds, 2)


def _day(microseconds: int, shift: int) -> str | None:
    # A time zone differs from UTC by less than a day.
    try:
        moved = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds, days=shift)
    except OverflowError:
        return None
    return moved.strftime("%Y-%m-%d").zfill(10)
