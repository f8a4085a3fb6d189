"""The jobs of all collections of a server."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from time import monotonic, sleep

from ...core import NotFoundError, StorageError
from ...core.errors import shown
from ...index.store.jobs import Job
from ...search.encoding.lending import KeptLock
from .operations.lanes import JobLanes
from .problems import Problem
from .served import Served

logger = logging.getLogger(__name__)

OPENING_SECONDS = 5.0
"""Seconds for which a request for jobs waits for a collection that is being opened."""
Listing = Callable[[], list[Served]]
"""A function that returns the collections of a server."""


class JobList:
    """Finds the jobs of all collections. Thread-safe.

    known:       returns the collections that the server knows. It reads no files.
    collections: returns all collections, also new ones.
    runner:      runs the jobs, and knows which of them wait for a retry.
    opening:     locked while a collection is opened.
    """

    def __init__(
        self, known: Listing, collections: Listing, runner: JobLanes, opening: KeptLock
    ) -> None:
        self._known = known
        self._collections = collections
        self._runner = runner
        self._opening = opening

    def latest(self, owner: str | None = None) -> list[tuple[str, Job]]:
        """Return (collection name, job) for the latest jobs of all collections, newest job first.

        owner: only jobs of this owner; None: all jobs.

        Skips collections that cannot be read.
        """
        end = monotonic() + OPENING_SECONDS
        while True:
            found, moved = [], False
            for served in self._opened():
                try:
                    if served.jobs is not None:
                        found += [
                            (served.name, self._with_state(served, job))
                            for job in served.jobs.latest(owner=owner)
                        ]
                except StorageError as error:
                    if _moved(served):  # Another collection has its jobs now.
                        moved = True
                    else:
                        logger.warning("jobs of %s are skipped: %s", served.name, error)
            if not moved or monotonic() >= end:
                return sorted(found, key=lambda pair: -pair[1].created)

    def get(self, job_id: str) -> tuple[str, Job]:
        """Return (collection name, job) for the id of a job.

        If the job is not found, raises StorageError if a collection could not be read, Problem 503
        if one is still loading, else NotFoundError.
        """
        end = monotonic() + OPENING_SECONDS
        while True:
            # A collection that has just replaced another one is only in the second listing.
            for listing in (self._known, self._opened):
                failure: StorageError | None = None
                moved = False
                for served in listing():
                    moved = moved or served.status == "loading"
                    if served.jobs is not None:
                        try:
                            return served.name, self._with_state(served, served.jobs.get(job_id))
                        except NotFoundError:
                            moved = moved or _moved(served)
                        except StorageError as error:
                            failure = error
                            moved = moved or _moved(served)
            if not moved:
                break
            if monotonic() >= end:
                headers = {"Retry-After": "1"}
                raise Problem(503, "collections are loading; try again", headers=headers)
            sleep(0.01)
        if failure is not None:
            raise failure
        raise self.absent(job_id)

    def _opened(self) -> list[Served]:
        """Return all collections, after waiting for one that is being opened."""
        found = self._collections()
        if any(served.status == "loading" for served in found):
            if self._opening.acquire(timeout=OPENING_SECONDS):
                self._opening.release()
            found = self._collections()
        return found

    @staticmethod
    def absent(job_id: str) -> NotFoundError:
        """Return the error for the id of a job that does not exist."""
        return NotFoundError(f"no job {shown(job_id)}; finished jobs are kept for a week")

    def _with_state(self, served: Served, job: Job) -> Job:
        """Return the job, with the state "waiting" if it waits for a retry.

        The state "waiting" is not stored on disk.
        """
        reason = self._runner.waiting(served).get(job.id)
        return job if reason is None else replace(job, state="waiting", error=reason)


def _moved(served: Served) -> bool:
    """Return True if a collection was deleted, or replaced by another one."""
    return served.deleted or served.replaced()
