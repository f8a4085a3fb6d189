"""The quotas of keys, which several workers share: a limit of a key holds for all of them together.

Each quota has a small mapped file, which a worker locks while it reads and changes the numbers. The
lock ends with its process.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import blake2b
from pathlib import Path
from weakref import finalize

from ..operations.workers import Place, quotas_of
from .access import Limits
from .quotas import Quota

MOST = 100
"""Maximum number of quotas that a worker has open. Each takes two file descriptors."""
_NUMBER = 16
"""Number of bytes of a number."""
_BUCKETS = 4
"""Numbers before those of the workers: for each bucket the units spent, and when."""


class SharedQuota(Quota):
    """What one key has used, in all workers.

    file:    file of the numbers. It is created if it is missing.
    worker:  number of this worker, from 1.
    workers: number of workers.
    """

    def __init__(
        self, limits: Limits, clock: Callable[[], int], file: Path, worker: int, workers: int
    ) -> None:
        super().__init__(limits, clock)
        self._own = _BUCKETS + worker - 1
        self._last = _BUCKETS + workers
        self._file = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        finalize(self, os.close, self._file)
        size = _NUMBER * self._last
        if os.fstat(self._file).st_size < size:
            os.ftruncate(self._file, size)
        self._map = mmap.mmap(self._file, size)

    @contextmanager
    def _held(self) -> Iterator[object]:
        """Lock the quota for all threads and workers, read its numbers, and write them at last."""
        with self._lock:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                buckets = list(enumerate(self._buckets.values()))
                for at, bucket in buckets:
                    bucket.load(self._get(2 * at), self._get(2 * at + 1))
                before = self._running = sum(map(self._get, range(_BUCKETS, self._last)))
                try:
                    yield self
                finally:
                    for at, bucket in buckets:
                        spent, when = bucket.state()
                        self._set(2 * at, spent)
                        self._set(2 * at + 1, when)
                    if self._running != before:
                        self._set(self._own, self._get(self._own) + self._running - before)
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def _get(self, at: int) -> int:
        return int.from_bytes(self._map[at * _NUMBER : (at + 1) * _NUMBER], "little", signed=True)

    def _set(self, at: int, value: int) -> None:
        self._map[at * _NUMBER : (at + 1) * _NUMBER] = value.to_bytes(
            _NUMBER, "little", signed=True
        )


def shared_quotas(place: Place, workers: int) -> Callable[[str, Limits, Callable[[], int]], Quota]:
    """Return a function that makes the quota of a key; see `Quotas`.

    Requests of a process that had this number before, and has ended, no longer count as running.

    place:   place of this worker.
    workers: number of workers.
    """
    folder, worker = quotas_of(place.folder), place.number
    for path in folder.iterdir():
        file = os.open(path, os.O_RDWR)
        fcntl.flock(file, fcntl.LOCK_EX)
        os.pwrite(file, bytes(_NUMBER), (_BUCKETS + worker - 1) * _NUMBER)
        os.close(file)
    return partial(_shared, folder, worker, workers)


def _shared(
    folder: Path, worker: int, workers: int, key: str, limits: Limits, clock: Callable[[], int]
) -> Quota:
    # Other limits of the same key begin anew, as in a server with one worker.
    name = blake2b(repr((key, limits)).encode(), digest_size=16).hexdigest()
    return SharedQuota(limits, clock, folder / name, worker, workers)
