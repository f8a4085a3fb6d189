"""Text bounds of dates. They let SQLite parse only few texts as dates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def earliest_text(microseconds: int) -> str | None:
    """Return a text that is not above any date text of this instant or a later one.

    None: no bound exists.
    """
    return _day(microseconds, -1)


def latest_text(microseconds: int) -> str | None:
    """Return a text that is above every date text of this instant or an earlier one.

    None: no bound exists.
    """
    return _day(microseconds, 2)


def _day(microseconds: int, shift: int) -> str | None:
    # A time zone differs from UTC by less than a day.
    try:
        moved = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds, days=shift)
    except OverflowError:
        return None
    return moved.strftime("%Y-%m-%d").zfill(10)
