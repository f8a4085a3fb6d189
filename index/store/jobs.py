"""Long work on a collection, and replies kept for repeated requests; both survive a crash.

They live in tables of their own in collection.db, written over a connection of their own. Only the
progress of a bulk job is recorded in the transaction of the documents that it wrote. The lines that
a bulk job has still to write lie beside it in `jobs/<id>.ndjson`.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from ...core import ConflictError, NotFoundError, StorageError
from .database.database import BUSY_SECONDS, FILE_NAME
from .upload import Upload, remove_stray

State = Literal["queued", "running", "waiting", "done", "failed"]
"""waiting: the disk stopped it, and it is tried again. It is never stored."""
JOBS_KEPT = 7 * 86_400.0
"""Seconds for which a finished job can be asked about."""
REPLIES_KEPT = 86_400.0
"""Seconds for which a reply is kept."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, state TEXT NOT NULL, done INTEGER NOT NULL,
    total INTEGER, unit TEXT NOT NULL, error TEXT, result TEXT NOT NULL,
    created REAL NOT NULL, updated REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS replies (
    key TEXT PRIMARY KEY, digest TEXT NOT NULL, status INTEGER NOT NULL, body BLOB NOT NULL,
    created REAL NOT NULL
);
"""
_COLUMNS = "id, kind, state, done, total, unit, error, result, created, updated"


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of long work.

    done, total: in `unit`; `total` is None when it is not known.
    result:      what it gave so far, a JSON object.
    created, updated: seconds since 1970.
    """

    id: str
    kind: str
    state: State
    done: int
    total: int | None
    unit: str
    error: str | None
    result: Mapping[str, Any]
    created: float
    updated: float

    @property
    def finished(self) -> bool:
        return self.state in ("done", "failed")


@dataclass(frozen=True, slots=True)
class Reply:
    """What was answered to a request that carried a key, and the digest of that request."""

    digest: str
    status: int
    body: bytes


class JobStore:
    """The jobs and kept replies of the collection in `directory`. Thread-safe.

    read_only: `directory` is not touched. Jobs are refused, and replies live in memory.
    """

    def __init__(self, directory: Path, *, read_only: bool = False) -> None:
        self.directory = directory
        self.spool = directory / "jobs"
        self._read_only = read_only
        self._lock = threading.RLock()
        self._depth = 0
        try:
            if not read_only:
                self.spool.mkdir(exist_ok=True)
            self._connection = sqlite3.connect(
                ":memory:" if read_only else directory / FILE_NAME,
                isolation_level=None,
                check_same_thread=False,
                timeout=BUSY_SECONDS,
            )
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise StorageError(f"{directory}: its jobs cannot be read: {error}") from error

    @staticmethod
    def new_id() -> str:
        return secrets.token_hex(8)

    def upload(self, job_id: str) -> Upload:
        """Begin to receive the lines of a bulk job. Raises StorageError, or ConflictError where
        nothing may be written."""
        self._expect_writable()
        return Upload(self.lines(job_id))

    def _expect_writable(self) -> None:
        if self._read_only:
            raise ConflictError(f"{self.directory.name} was opened read-only")

    def lines(self, job_id: str) -> Path:
        """The file with the lines of a bulk job."""
        return self.spool / f"{job_id}.ndjson"

    def create(
        self,
        job_id: str,
        kind: str,
        *,
        total: int | None,
        unit: str,
        result: Mapping[str, Any] | None = None,
    ) -> Job:
        """Queue a job; durable on return. Jobs finished long ago are forgotten.

        result: what it has to begin with, where that says what is to be done. Raises ConflictError
        where nothing may be written.
        """
        self._expect_writable()
        now = time.time()
        with self.together() as connection:
            connection.execute(
                "DELETE FROM jobs WHERE state IN ('done', 'failed') AND updated < ?",
                (now - JOBS_KEPT,),
            )
            connection.execute(
                f"INSERT INTO jobs ({_COLUMNS}) VALUES (?, ?, 'queued', 0, ?, ?, NULL, ?, ?, ?)",
                (job_id, kind, total, unit, json.dumps(dict(result or {})), now, now),
            )
        return self.get(job_id)

    def get(self, job_id: str) -> Job:
        """Raises NotFoundError."""
        rows = self._read(f"SELECT {_COLUMNS} FROM jobs WHERE id = ?", (job_id,))
        if not rows:
            raise NotFoundError(f"no job {job_id!r}")
        return _job(rows[0])

    def latest(self, limit: int = 100) -> list[Job]:
        """Jobs, newest first."""
        order = "ORDER BY created DESC, id LIMIT ?"
        return [_job(row) for row in self._read(f"SELECT {_COLUMNS} FROM jobs {order}", (limit,))]

    def unfinished(self) -> list[Job]:
        """Jobs that are queued, or were running when the process died; oldest first."""
        rows = self._read(
            f"SELECT {_COLUMNS} FROM jobs WHERE state IN ('queued', 'running') "
            "ORDER BY created, id",
            (),
        )
        return [_job(row) for row in rows]

    def counts(self) -> dict[str, int]:
        """State -> number of jobs."""
        return dict(self._read("SELECT state, count(*) FROM jobs GROUP BY state", ()))

    def save(
        self,
        job_id: str,
        state: State,
        *,
        done: int,
        result: Mapping[str, Any],
        total: int | None = None,
        unit: str | None = None,
        error: str | None = None,
    ) -> None:
        """Record how far a job is. `total` and `unit` keep their value when None."""
        with self.together() as connection:
            connection.execute(
                "UPDATE jobs SET state = ?, done = ?, result = ?, error = ?, updated = ?, "
                "total = coalesce(?, total), unit = coalesce(?, unit) WHERE id = ?",
                (state, done, json.dumps(result), error, time.time(), total, unit, job_id),
            )

    @staticmethod
    def record(
        connection: sqlite3.Connection, job_id: str, *, done: int, result: Mapping[str, Any]
    ) -> None:
        """Record how far a job is in the transaction of what it did, which the caller commits.

        So a job that is continued never does again what is durable already.
        """
        connection.execute(
            "UPDATE jobs SET done = ?, result = ?, updated = ? WHERE id = ?",
            (done, json.dumps(result), time.time(), job_id),
        )

    def remove_stray_lines(self) -> None:
        """Remove files of jobs that are finished, or that were never queued.

        A file that another process is still receiving stays.
        """
        for path in self.spool.glob("*.ndjson"):
            remove_stray(path, partial(self._is_unfinished, path.stem))

    def _is_unfinished(self, job_id: str) -> bool:
        sql = "SELECT 1 FROM jobs WHERE id = ? AND state IN ('queued', 'running')"
        return bool(self._read(sql, (job_id,)))

    def recall(self, key: str) -> Reply | None:
        """The reply kept under `key`, if it is young enough."""
        rows = self._read(
            "SELECT digest, status, body FROM replies WHERE key = ? AND created >= ?",
            (key, time.time() - REPLIES_KEPT),
        )
        return Reply(*rows[0]) if rows else None

    def remember(self, key: str, reply: Reply) -> None:
        """Keep a reply; durable on return. Those that are too old are removed."""
        now = time.time()
        with self.together() as connection:
            connection.execute("DELETE FROM replies WHERE created < ?", (now - REPLIES_KEPT,))
            connection.execute(
                "INSERT OR REPLACE INTO replies (key, digest, status, body, created) "
                "VALUES (?, ?, ?, ?, ?)",
                (key, reply.digest, reply.status, reply.body, now),
            )

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _read(self, sql: str, values: tuple[Any, ...]) -> list[Any]:
        with self._lock:
            try:
                return self._connection.execute(sql, values).fetchall()
            except sqlite3.Error as error:
                raise StorageError(f"{self.directory}: jobs cannot be read: {error}") from error

    @contextmanager
    def together(self) -> Iterator[sqlite3.Connection]:
        """Make all changes of the block in one transaction: all of them or none."""
        with self._lock:
            if self._depth:  # Within another one.
                yield self._connection
                return
            self._depth += 1
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise StorageError(f"{self.directory}: job not recorded: {error}") from error
            finally:
                self._depth -= 1
                with suppress(sqlite3.ProgrammingError):  # It was closed.
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")


def _job(row: Any) -> Job:
    job_id, kind, state, done, total, unit, error, result, created, updated = row
    return Job(job_id, kind, state, done, total, unit, error, json.loads(result), created, updated)
