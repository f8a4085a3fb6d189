"""Check that the server can write to the folders of its collections."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from time import monotonic

PROBE_BYTES = 1 << 20
"""Number of bytes that a test write reserves. If they do not fit, writes count as failing."""
PROBE_SECONDS = 2.0
"""Number of seconds for which the result of a test write is reused."""
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


@dataclass(frozen=True, slots=True)
class Writable:
    """The result of a test write.

    problem:  why writes fail; None if they work.
    intended: True if writes fail because the folder is read-only, which is not a fault.
    """

    problem: str | None = None
    intended: bool = False


class WriteProbe:
    """Tests whether writes work, at most once in PROBE_SECONDS. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._last = Writable()
        self._taken = -PROBE_SECONDS

    def check(self, folders: Sequence[Path]) -> Writable:
        """Return the worst result of test writes, one to each file system of `folders`.

        Returns the last result if it is younger than PROBE_SECONDS, or while another thread tests.
        """
        if not self._lock.acquire(blocking=False):
            return self._last
        try:
            if monotonic() - self._taken >= PROBE_SECONDS:
                self._last = _worst(folders)
                self._taken = monotonic()
            return self._last
        finally:
            self._lock.release()


def _worst(folders: Sequence[Path]) -> Writable:
    found: dict[int, Writable] = {}
    for folder in folders:
        try:
            device = os.stat(folder).st_dev
        except OSError:
            continue  # The status of its collection says so.
        if device not in found:
            found[device] = _probe(folder)
    faults = [result for result in found.values() if result.problem is not None]
    return min(faults, key=lambda result: result.intended, default=Writable())


def _probe(folder: Path) -> Writable:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, PROBE_BYTES)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EINVAL):  # No support for reservation.
            return Writable()
        problem = f"a write to the served folder fails: {error.strerror}"
        return Writable(problem, error.errno in _READ_ONLY)
    return Writable()
