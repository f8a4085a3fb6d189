"""The commit that a caller names: by its number, or by a time."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

from ...core import GoneError, InvalidInputError, UnsupportedByStoreError
from ...core.filters.dates import instant
from ..store.database import history
from ..store.database.history import Commit, commit_at, commits, horizon, newest

AsOf = int | str
"""A commit: its number, or a time as an ISO 8601 text; without a time zone in UTC."""

FIELD = "as_of"


def iso(milliseconds: int) -> str:
    """Return a time as ISO 8601 text in UTC, with milliseconds."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def find_commit(connection: sqlite3.Connection, as_of: AsOf) -> Commit:
    """Return the commit that `as_of` names: for a time, the last commit until then.

    Raises InvalidInputError for a text that is no time and for a commit that does not exist yet,
    GoneError for one beyond the retention, and UnsupportedByStoreError if the collection keeps no
    history.
    """
    first = horizon(connection)
    latest = newest(connection)
    if first is None or latest is None:
        raise UnsupportedByStoreError(
            "this collection keeps no history; set `history` in its configuration", field=FIELD
        )
    if isinstance(as_of, str) and as_of.isascii() and as_of.isdigit():
        as_of = int(as_of)
    if isinstance(as_of, int):
        found = next(
            commits(connection, "WHERE number <= ? ORDER BY number DESC LIMIT 1", as_of), None
        )
        if as_of > latest.number or as_of < 0:
            raise InvalidInputError(
                f"must be a commit from {first.number} to {latest.number}, got {as_of}", field=FIELD
            )
    else:
        micros = instant(as_of)
        if micros is None:
            raise InvalidInputError(
                f'must be the number of a commit or a time such as "2026-05-04T12:00:00Z", got '
                f"{as_of!r}",
                field=FIELD,
            )
        if micros // 1000 > max(latest.time, history.utc_now()):
            raise InvalidInputError(
                f"is in the future: {as_of}; give a time up to now", field=FIELD
            )
        found = commit_at(connection, micros // 1000)
    if found is None or found.number < first.number:
        raise GoneError(
            f"{FIELD}: {as_of} is before the horizon of this collection's history, which is commit "
            f"{first.number} at {iso(first.time)}; name this commit or a later one"
        )
    return found
