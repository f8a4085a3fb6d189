"""Run the jobs of all collections, one at a time, and continue interrupted jobs."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from threading import Condition, Thread
from time import monotonic, perf_counter
from typing import Any

from ...core import CorruptFileError, Progress, StorageError, TwindexError
from ...index.arrays.files import exclusive
from ...index.store.jobs import Job, JobStore
from ...search import Collection, ReconfigureRequest
from .bulk import BATCH, BulkResult, check_lines, parse_lines
from .served import Served

logger = logging.getLogger(__name__)

FIRST_STEP = 8
"""Number of lines in the first step of a bulk job, before its speed is known."""
STEP_SECONDS = 10.0
"""Target duration of a step of a bulk job. Progress is stored, and a job can stop, after a step."""
RETRY_SECONDS = (1.0, 30.0)
"""First and longest pause before the retry of a job that failed because of the disk.

Each pause is twice as long as the one before, up to the longest.
"""


Work = Callable[[Served, Job, Progress], dict[str, Any]]
"""Runs a job of a collection and returns its result."""


class Interruption(Exception):  # noqa: N818 - not an error
    """Raised in a job if the server stops or the collection is deleted. The job keeps its state."""


@dataclass(slots=True)
class _Entry:
    """A job in the queue.

    retry_at: time of the next attempt, on the monotonic clock.
    pause:    seconds to wait if the next attempt fails.
    reason:   why the job waits for a retry; None if it does not wait for one.
    """

    served: Served
    job_id: str
    retry_at: float = 0.0
    pause: float = RETRY_SECONDS[0]
    reason: str | None = None


class JobRunner:
    """A queue of jobs and the thread that runs them.

    If a full or failing disk stops a job, the job keeps its position and is retried. Later jobs of
    the same collection wait for it, because their order matters. Other collections do not wait.

    name: name of the lock file beside the jobs. Runners with other names run at the same time.
    works: kind -> work, for kinds whose jobs are not retried.
    """

    def __init__(self, name: str = "lock", works: Mapping[str, Work] | None = None) -> None:
        self._name = name
        self._works = works or {}
        self._changed = Condition()
        self._queue: list[_Entry] = []
        self._stopping = False
        self._thread = Thread(target=self._work, name="twindex-jobs", daemon=True)

    def submit(self, served: Served, job_id: str) -> None:
        """Queue the job `job_id`, which is already stored in the collection."""
        with self._changed:
            self._queue.append(_Entry(served, job_id))
            if self._thread.ident is None:
                self._thread.start()
            self._changed.notify_all()

    def waiting(self, served: Served) -> dict[str, str]:
        """Return job id -> reason, for each job of a collection that waits for a retry."""
        with self._changed:
            return {
                entry.job_id: entry.reason
                for entry in self._queue
                if entry.served is served and entry.reason is not None
            }

    def close(self) -> None:
        """Stop the thread after the current step of a job. The next server continues the job."""
        self.stop()
        if self._thread.ident is not None:
            self._thread.join()

    def stop(self) -> None:
        """Let the thread end after the current step of a job. Does not wait for it."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def _work(self) -> None:
        while (entry := self._next()) is not None:
            reason = self._attempt(entry)
            with self._changed:
                if reason is None:
                    self._queue.remove(entry)
                    continue
                if entry.retry_at == 0.0:  # Logged once, not for each attempt.
                    logger.warning("job %s waits for a retry: %s", entry.job_id, reason)
                entry.reason, entry.retry_at = reason, monotonic() + entry.pause
                entry.pause = min(2 * entry.pause, RETRY_SECONDS[1])

    def _next(self) -> _Entry | None:
        """Wait until a collection's oldest job may run, and return it.

        Return None if the server stops.
        """
        with self._changed:
            while not self._stopping:
                first: dict[int, _Entry] = {}
                for entry in self._queue:
                    first.setdefault(id(entry.served), entry)
                now = monotonic()
                for entry in first.values():
                    if entry.retry_at <= now:
                        entry.reason = None
                        return entry
                soonest = min((entry.retry_at for entry in first.values()), default=None)
                self._changed.wait(None if soonest is None else soonest - now)
            return None

    def _attempt(self, entry: _Entry) -> str | None:
        """Run a job. Return the reason to retry the job later; None: do not retry it."""
        served, job_id = entry.served, entry.job_id
        store = served.jobs

        def proceed() -> None:
            if self._stopping or served.deleted:
                raise Interruption

        try:
            proceed()
            if store is None:
                return None
            # Another server on the same folder may run the job.
            with exclusive(store.spool / self._name, wait=True):
                job = store.get(job_id)
                if not job.finished:
                    self._perform(served, store, job, proceed)
                store.lines(job_id).unlink(missing_ok=True)
        except Interruption:
            return None
        except Exception as error:
            if self._stopping or served.deleted or served.replaced():
                return None
            if _is_temporary(error):
                return _reason(error, served.path)
            logger.exception("job %s failed", job_id)
        return None

    def _perform(
        self, served: Served, store: JobStore, job: Job, proceed: Callable[[], None]
    ) -> None:
        """Run a job and store its final state, "done" or "failed".

        If a retry may succeed, raises the error instead, and the job keeps its state.

        proceed: raises Interruption if the job must stop.
        """
        proceed()
        try:
            if (work := self._works.get(job.kind)) is not None:
                result = work(served, job, _StoredProgress(store, job, proceed))
                store.save(job.id, "done", done=store.get(job.id).done, result=result)
            elif (collection := served.collection) is None:
                return
            elif job.kind == "bulk":
                _bulk(collection, store, job, proceed)
            else:
                progress = _StoredProgress(store, job)
                progress.start(job.kind, None, job.unit)
                result = _MAINTENANCE[job.kind](collection, job, progress)
                store.save(job.id, "done", done=store.get(job.id).done, result=result)
        except Interruption:
            raise
        except Exception as error:
            proceed()  # If the collection is being deleted, the job did not cause the error.
            if _is_temporary(error) and job.kind not in self._works:
                raise
            # Store the failure, or the next start would fail in the same way.
            if isinstance(error, TwindexError):
                reason = _reason(error, served.path)
                # The reason may contain a text; the job shows it to its owner.
                logger.warning("job %s of kind %s failed: %s", job.id, job.kind, error.code)
            else:
                reason = "an unexpected error; search the log for the id of the job"
                logger.exception("job %s failed", job.id)
            latest = store.get(job.id)
            store.save(job.id, "failed", done=latest.done, result=latest.result, error=reason)


def _is_temporary(error: Exception) -> bool:
    """Return True if a retry may succeed: after disk errors, but not for damaged files."""
    if isinstance(error, StorageError):
        return not isinstance(error, CorruptFileError)
    return isinstance(error, OSError)


def _reason(error: Exception, path: Path) -> str:
    return str(error).replace(f"{path.parent}/", "")


def _bulk(collection: Collection, store: JobStore, job: Job, proceed: Callable[[], None]) -> None:
    result = BulkResult.resumed(job.result)
    done = job.done

    def record(connection: sqlite3.Connection, line: int) -> None:
        store.record(connection, job.id, done=line, result=asdict(result))

    if job.filter is not None:
        collection = collection.within(job.filter)
    store.save(job.id, "running", done=done, result=asdict(result))
    try:
        file = store.lines(job.id).open("rb")
    except FileNotFoundError:
        raise CorruptFileError(
            store.lines(job.id), "is missing", remedy="send the lines again"
        ) from None
    with file:
        for _ in islice(file, done):
            pass
        step = FIRST_STEP
        while lines := list(islice(file, step)):
            proceed()
            began = perf_counter()
            parsed = check_lines(collection, parse_lines(lines, done + 1))
            result.write(collection, parsed, record)
            done += len(lines)
            store.save(job.id, "running", done=done, result=asdict(result))
            step = _next_step(len(lines), perf_counter() - began)
    store.save(job.id, "done", done=done, result=asdict(result))


def _next_step(lines: int, seconds: float) -> int:
    """Return how many lines of a bulk job to write in the next step, to take about STEP_SECONDS.

    lines, seconds: number of lines and duration of the last step.
    """
    return max(1, min(BATCH, int(lines * STEP_SECONDS / max(seconds, 1e-9))))


class _StoredProgress:
    """A Progress that stores the progress of a job in the collection's database.

    proceed: raises Interruption if the job must stop.
    """

    def __init__(
        self, store: JobStore, job: Job, proceed: Callable[[], None] = lambda: None
    ) -> None:
        self._store = store
        self._proceed = proceed
        self._id = job.id
        self._result = job.result
        self._done = 0

    def start(self, stage: str, total: int | None, unit: str, done: int = 0) -> None:
        self._done = done
        result = self._result
        self._store.save(self._id, "running", done=done, result=result, total=total, unit=unit)

    def advance(self, n: int = 1) -> None:
        self._proceed()
        self._done += n
        self._store.save(self._id, "running", done=self._done, result=self._result)

    def close(self) -> None: ...


def _merge(collection: Collection, job: Job, progress: Progress) -> dict[str, Any]:
    return {"merged": collection.merge(progress=progress)}


def _reconfigure(collection: Collection, job: Job, progress: Progress) -> dict[str, Any]:
    request = ReconfigureRequest.parse({"legs": job.result["legs"]})
    done = collection.reconfigure(request.legs, progress=progress)
    return {**job.result, "changed": done.changed, "warnings": list(done.warnings)}


_MAINTENANCE: dict[str, Callable[[Collection, Job, Progress], dict[str, Any]]] = {
    "merge": _merge,
    "reconfigure": _reconfigure,
}
"""Kind of job -> function that runs it and returns its result."""
