"""Reports the progress of a job of the service."""

from __future__ import annotations

from ..core.progress import Progress
from .replies import Job


class Followed:
    """Reports the progress of one job, each time its state is read from the service.

    progress: receiver of the reports.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._stage: tuple[int | None, str] | None = None
        self._done = 0

    def follow(self, job: Job) -> None:
        """Report the units that the job finished since the last call of this method.

        job: current state of the job.
        """
        if job.state == "queued":
            return
        stage = job.total, job.unit
        if stage != self._stage or job.done < self._done:
            self._progress.start(job.kind, job.total, job.unit, done=job.done)
            self._stage = stage
        elif job.done > self._done:
            self._progress.advance(job.done - self._done)
        self._done = job.done
