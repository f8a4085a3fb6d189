"""Text bounds for dates, so that SQLite parses only the texts between them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def earliest_text(microseconds: int) -> str | None:
    """Return a lower bound for the texts of all dates at this instant or later.

    None: there is no bound.
    """
    return _day(microseconds, -1)


def latest_text(microseconds: int) -> str | None:
    """Return an upper bound (exclusive) for the texts of all dates at this instant or earlier.

    None: there is no bound.
    """
    return _day(microseconds, 2)


def _day(microseconds: int, shift: int) -> str | None:
    # A time zone differs from UTC by less than a day.
    try:
        moved = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds, days=shift)
    except OverflowError:
        return None
    return moved.strftime("%Y-%m-%d").zfill(10)
