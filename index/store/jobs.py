"""Jobs of a collection, and stored replies to requests that a client may repeat.

Jobs and replies survive a crash. They have their own tables in collection.db and are written
through their own connection. An exception is the progress of a bulk job (a write of many
documents): it is stored in the transaction that writes the documents.
The lines of a bulk job are in `jobs/<id>.ndjson` until the job has ended.
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
from ...core.errors import shown
from .database.database import BUSY_SECONDS, FILE_NAME
from .database.succession import identity_of
from .upload import Upload, remove_stray

State = Literal["queued", "running", "waiting", "done", "failed"]
"""State of a job. "waiting": a disk error stopped the job, and it will be retried. The state
"waiting" is never stored in the database."""
JOBS_KEPT = 7 * 86_400.0
"""Seconds for which a finished job is kept."""
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
CREATE TABLE IF NOT EXISTS job_owners (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, filter TEXT
);
"""
_COLUMNS = "id, kind, state, done, total, unit, error, result, created, updated"
_JOBS = f"SELECT {_COLUMNS}, coalesce(owner, ''), filter FROM jobs LEFT JOIN job_owners USING (id)"


@dataclass(frozen=True, slots=True)
class Job:
    """A long-running operation on a collection, such as a merge or a bulk write.

    done, total: amount of work finished and amount in total, in `unit`. `total` is None if it is
                 not known.
    error:       error message of a failed job; None for other jobs.
    result:      result so far, a JSON object.
    created, updated: time of creation and of the last change, in seconds since 1970.
    owner:       id of the key that started the job; "" without keys.
    filter:      JSON filter within which the job works; None: the whole collection.
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
    owner: str = ""
    filter: Mapping[str, Any] | None = None

    @property
    def finished(self) -> bool:
        """True if the job is done or has failed."""
        return self.state in ("done", "failed")


@dataclass(frozen=True, slots=True)
class Reply:
    """The stored reply to a request with an idempotency key.

    A client that repeats the request with the same key receives this reply again.

    digest: digest of the request.
    status: HTTP status of the reply.
    body: body of the reply.
    """

    digest: str
    status: int
    body: bytes


class JobStore:
    """The jobs and stored replies of the collection in `directory`. Thread-safe.

    read_only: True: never write to `directory`. New jobs then raise ConflictError, and replies are
        stored in memory only.
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
            self._identity = None if read_only else identity_of(directory)
        except (OSError, sqlite3.Error) as error:
            raise StorageError(
                f"{directory}: the jobs of this collection cannot be opened ({error}); check the "
                "permissions of the folder and the free space of the disk"
            ) from error

    @staticmethod
    def new_id() -> str:
        """Return a new, random job id."""
        return secrets.token_hex(8)

    def upload(self, job_id: str) -> Upload:
        """Create the file for the lines of a bulk job, and return it open for writing.

        Raises StorageError if the file cannot be created, and ConflictError if the store is
        read-only.
        """
        self._expect_writable()
        return Upload(self.lines(job_id))

    def _expect_writable(self) -> None:
        if self._read_only:
            raise ConflictError(
                f"collection {self.directory.name} accepts no jobs, because it was opened "
                "read-only; open it for writing"
            )

    def lines(self, job_id: str) -> Path:
        """Return the path of the file with the lines of a bulk job."""
        return self.spool / f"{job_id}.ndjson"

    def create(
        self,
        job_id: str,
        kind: str,
        *,
        total: int | None,
        unit: str,
        result: Mapping[str, Any] | None = None,
        owner: str = "",
        filter: Mapping[str, Any] | None = None,  # noqa: A002
    ) -> Job:
        """Add a job with the state "queued". It is on disk on return.

        Also deletes jobs that finished more than a week ago.

        kind: operation of the job, such as "merge".
        total: amount of work in `unit`, such as "passages". None: not known.
        result: initial result, a JSON object. It may describe the work to do.
        owner, filter: see `Job`.

        Raises ConflictError if the store is read-only.
        """
        self._expect_writable()
        now = time.time()
        with self.transaction() as connection:
            connection.execute(
                "DELETE FROM jobs WHERE state IN ('done', 'failed') AND updated < ?",
                (now - JOBS_KEPT,),
            )
            connection.execute("DELETE FROM job_owners WHERE id NOT IN (SELECT id FROM jobs)")
            connection.execute(
                f"INSERT INTO jobs ({_COLUMNS}) VALUES (?, ?, 'queued', 0, ?, ?, NULL, ?, ?, ?)",
                (job_id, kind, total, unit, json.dumps(dict(result or {})), now, now),
            )
            if owner or filter is not None:
                connection.execute(
                    "INSERT INTO job_owners (id, owner, filter) VALUES (?, ?, ?)",
                    (job_id, owner, None if filter is None else json.dumps(dict(filter))),
                )
        return self.get(job_id)

    def get(self, job_id: str) -> Job:
        """Return the job with this id. Raises NotFoundError if there is none."""
        rows = self._read(f"{_JOBS} WHERE id = ?", (job_id,))
        if not rows:
            raise NotFoundError(f"there is no job {shown(job_id)}")
        return _job(rows[0])

    def latest(self, limit: int = 100, owner: str | None = None) -> list[Job]:
        """Return the newest `limit` jobs, newest first. owner: only its jobs; None: all."""
        where = "WHERE ? IS NULL OR coalesce(owner, '') = ? ORDER BY jobs.rowid DESC LIMIT ?"
        return [_job(row) for row in self._read(f"{_JOBS} {where}", (owner, owner, limit))]

    def unfinished(self) -> list[Job]:
        """Return jobs that are queued or running, oldest first.

        A job with the state "running" may belong to a process that has ended.
        """
        rows = self._read(
            # Not by time: the clock may have been moved back.
            f"{_JOBS} WHERE state IN ('queued', 'running') ORDER BY jobs.rowid",
            (),
        )
        return [_job(row) for row in rows]

    def counts(self) -> dict[str, int]:
        """Return job state -> number of jobs with this state."""
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
        """Store the state and the progress of a job.

        total, unit: new values; None: the stored value does not change.
        """
        with self.transaction() as connection:
            connection.execute(
                "UPDATE jobs SET state = ?, done = ?, result = ?, error = ?, updated = ?, "
                "total = coalesce(?, total), unit = coalesce(?, unit) WHERE id = ?",
                (state, done, json.dumps(result), error, time.time(), total, unit, job_id),
            )

    @staticmethod
    def record(
        connection: sqlite3.Connection, job_id: str, *, done: int, result: Mapping[str, Any]
    ) -> None:
        """Store the progress of a bulk job in the transaction that writes its documents.

        Progress and documents become durable together. So a job that continues after a crash never
        repeats work that is already on disk.

        connection: the connection with this transaction. The caller commits the transaction.
        """
        connection.execute(
            "UPDATE jobs SET done = ?, result = ?, updated = ? WHERE id = ?",
            (done, json.dumps(result), time.time(), job_id),
        )

    def remove_stray_lines(self) -> None:
        """Remove the line files of bulk jobs that have finished or were never queued.

        A file that a process is still writing is not removed.
        """
        for path in self.spool.glob("*.ndjson"):
            remove_stray(path, partial(self._is_unfinished, path.stem))

    def _is_unfinished(self, job_id: str) -> bool:
        sql = "SELECT 1 FROM jobs WHERE id = ? AND state IN ('queued', 'running')"
        return bool(self._read(sql, (job_id,)))

    def recall(self, key: str) -> Reply | None:
        """Return the reply stored under `key`, an idempotency key.

        None: there is no such reply, or it is older than `REPLIES_KEPT`.
        """
        rows = self._read(
            "SELECT digest, status, body FROM replies WHERE key = ? AND created >= ?",
            (key, time.time() - REPLIES_KEPT),
        )
        return Reply(*rows[0]) if rows else None

    def remember(self, key: str, reply: Reply) -> None:
        """Store a reply under `key`, an idempotency key. The reply is on disk on return.

        Also deletes replies that are older than `REPLIES_KEPT`.
        """
        now = time.time()
        with self.transaction() as connection:
            connection.execute("DELETE FROM replies WHERE created < ?", (now - REPLIES_KEPT,))
            connection.execute(
                "INSERT OR REPLACE INTO replies (key, digest, status, body, created) "
                "VALUES (?, ?, ?, ?, ?)",
                (key, reply.digest, reply.status, reply.body, now),
            )

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()

    def _read(self, sql: str, values: tuple[Any, ...]) -> list[Any]:
        with self._lock:
            try:
                return self._connection.execute(sql, values).fetchall()
            except sqlite3.Error as error:
                raise StorageError(
                    f"{self.directory}: the jobs of this collection cannot be read ({error})"
                ) from error

    def _check_identity(self) -> None:
        """Raise StorageError if the database was removed or replaced: a job would be lost in it."""
        if self._identity is not None and self._identity != identity_of(self.directory):
            raise StorageError(
                f"{self.directory / FILE_NAME} was removed or replaced while it was open; open the "
                "collection again"
            )

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Return a context manager that runs its block in one transaction.

        A block inside such a block runs in the outer transaction.
        """
        with self._lock:
            if self._depth:  # Inside another transaction.
                yield self._connection
                return
            self._depth += 1
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                self._check_identity()
                yield self._connection
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise StorageError(
                    f"{self.directory}: the jobs of this collection cannot be written ({error})"
                ) from error
            finally:
                self._depth -= 1
                with suppress(sqlite3.ProgrammingError):  # The connection was closed.
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")


def _job(row: Any) -> Job:
    job_id, kind, state, done, total, unit, error, result, created, updated, owner, within = row
    return Job(
        *(job_id, kind, state, done, total, unit, error, json.loads(result), created, updated),
        owner=owner,
        filter=None if within is None else json.loads(within),
    )
