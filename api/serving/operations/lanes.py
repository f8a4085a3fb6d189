"""Two queues of jobs: writes of documents never wait for the copying of a collection."""

from __future__ import annotations

from collections.abc import Mapping

from ..jobs import JobRunner, Work
from ..served import Served


class JobLanes:
    """Runs jobs in two threads, by their kind. Has the methods of `JobRunner`.

    copies: kind -> work, for the jobs of the second queue. A failed one is not retried.
    runs:   False: leave all jobs to another process.
    """

    def __init__(self, copies: Mapping[str, Work], *, runs: bool = True) -> None:
        self._copies = copies
        self._runs = runs
        self._writes = JobRunner()
        self._copying = JobRunner("copies", copies)

    def submit(self, served: Served, job_id: str) -> None:
        """Queue the job `job_id`, which is already stored in the collection."""
        if not self._runs:
            return
        assert served.jobs is not None, "a job is stored before it is queued"
        copies = served.jobs.get(job_id).kind in self._copies
        (self._copying if copies else self._writes).submit(served, job_id)

    def waiting(self, served: Served) -> dict[str, str]:
        """Return job id -> reason, for each job of a collection that waits for a retry."""
        return self._writes.waiting(served)

    def close(self) -> None:
        """Stop both threads after the current step of their jobs."""
        self._copying.stop()
        self._writes.close()
        self._copying.close()
