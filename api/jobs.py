"""Runs the jobs of all collections, one at a time, and continues those that a crash interrupted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import islice
from threading import Event
from time import perf_counter

from ..core import TwindexError
from ..index.files import exclusive
from ..index.jobs import Job, JobStore
from ..search import Engine, ReconfigureRequest
from .bulk import BATCH, BulkResult, parse_lines
from .served import Served

logger = logging.getLogger(__name__)

FIRST_STEP = 8
"""Lines of a bulk job's first step, when its speed is not known."""
STEP_SECONDS = 10.0
"""About how long a step takes: until then a stop waits, and progress is not told."""


class Interruption(Exception):  # noqa: N818 - no error
    """The server stops, or the collection is gone: leave the job as it is."""


class JobRunner:
    """A queue of jobs and the thread that works on them."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="twindex-jobs")
        self._stopping = Event()

    def submit(self, served: Served, job_id: str) -> None:
        """Queue a job that is in the collection's store."""
        self._executor.submit(self._run, served, job_id)

    def close(self) -> None:
        """Leave the job under way after its current step; the next start continues it."""
        self._stopping.set()
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _run(self, served: Served, job_id: str) -> None:
        engine, store = served.engine, served.jobs
        if engine is None or store is None or self._stopping.is_set() or served.deleted:
            return

        def proceed() -> None:
            if self._stopping.is_set() or served.deleted:
                raise Interruption

        try:
            # Another server on the same folder may be at it.
            with exclusive(store.spool / "lock", wait=True):
                job = store.get(job_id)
                if not job.finished:
                    _perform(engine, store, job, proceed)
        except Interruption:
            return
        except Exception:
            if not served.deleted:
                logger.exception("job %s failed", job_id)


def _perform(engine: Engine, store: JobStore, job: Job, proceed: Callable[[], None]) -> None:
    proceed()
    try:
        _KINDS[job.kind](engine, store, job, proceed)
    except Interruption:
        raise
    except Exception as error:
        proceed()  # A collection that is being deleted fails in any way it likes.
        # Failed is failed, or the next start would run into it again.
        if isinstance(error, TwindexError | OSError):
            reason = str(error).replace(f"{engine.path.parent}/", "")
            logger.warning("job %s failed: %s", job.id, reason)
        else:
            reason = "an unexpected error; the log has it under the id of the job"
            logger.exception("job %s failed", job.id)
        latest = store.get(job.id)
        store.save(job.id, "failed", done=latest.done, result=latest.result, error=reason)
    store.lines(job.id).unlink(missing_ok=True)


def _bulk(engine: Engine, store: JobStore, job: Job, proceed: Callable[[], None]) -> None:
    result = BulkResult.resumed(job.result)
    done = job.done
    store.save(job.id, "running", done=done, result=asdict(result))
    with store.lines(job.id).open("rb") as file:
        # Batches written before a crash but not counted are written again, to the same effect.
        for _ in islice(file, done):
            pass
        step = FIRST_STEP
        while lines := list(islice(file, step)):
            proceed()
            began = perf_counter()
            result.write(engine, list(parse_lines(lines, done + 1)))
            done += len(lines)
            store.save(job.id, "running", done=done, result=asdict(result))
            step = _next_step(len(lines), perf_counter() - began)
    store.save(job.id, "done", done=done, result=asdict(result))


def _next_step(lines: int, seconds: float) -> int:
    """Lines of the next step, after one that took so long: a model may need seconds for each."""
    return max(1, min(BATCH, int(lines * STEP_SECONDS / max(seconds, 1e-9))))


class _StoredProgress:
    """Progress written to the job's row."""

    def __init__(self, store: JobStore, job: Job) -> None:
        self._store = store
        self._id = job.id
        self._result = job.result
        self._done = 0

    def start(self, stage: str, total: int | None, unit: str, done: int = 0) -> None:
        self._done = done
        result = self._result
        self._store.save(self._id, "running", done=done, result=result, total=total, unit=unit)

    def advance(self, n: int = 1) -> None:
        self._done += n
        self._store.save(self._id, "running", done=self._done, result=self._result)

    def close(self) -> None: ...


def _merge(engine: Engine, store: JobStore, job: Job, proceed: Callable[[], None]) -> None:
    progress = _StoredProgress(store, job)
    progress.start("merge", None, job.unit)
    merged = engine.merge(progress=progress)
    latest = store.get(job.id)
    store.save(job.id, "done", done=latest.done, result={"merged": merged})


def _reconfigure(engine: Engine, store: JobStore, job: Job, proceed: Callable[[], None]) -> None:
    progress = _StoredProgress(store, job)
    progress.start("reconfigure", None, job.unit)
    asked = ReconfigureRequest.parse({"legs": job.result["legs"]})
    done = engine.reconfigure(asked.legs, progress=progress)
    latest = store.get(job.id)
    result = {**job.result, "changed": done.changed, "warnings": list(done.warnings)}
    store.save(job.id, "done", done=latest.done, result=result)


_KINDS: dict[str, Callable[[Engine, JobStore, Job, Callable[[], None]], None]] = {
    "bulk": _bulk,
    "merge": _merge,
    "reconfigure": _reconfigure,
}
