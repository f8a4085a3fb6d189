"""Texts between which all dates of an instant sort, so that SQLite reads few as dates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


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
