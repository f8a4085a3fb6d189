"""Whether the disk takes writes."""

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
"""Space that must be free for writes to be expected to work."""
PROBE_SECONDS = 2.0
"""Age up to which a result is used again."""
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


@dataclass(frozen=True, slots=True)
class Writable:
    """problem: why writes fail; None when they work. intended: the folder is read-only, which is
    a choice and no fault."""

    problem: str | None = None
    intended: bool = False


class WriteProbe:
    """Tries to write now and then. Thread-safe; only one thread at a time touches the disk."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._last = Writable()
        self._taken = -PROBE_SECONDS

    def check(self, folders: Sequence[Path]) -> Writable:
        """The worst of the file systems of `folders`; the last result while another thread looks,
        or when it is less than two seconds old."""
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
            continue  # Its status tells.
        if device not in found:
            found[device] = _probe(folder)
    faults = [result for result in found.values() if result.problem is not None]
    return min(faults, key=lambda result: result.intended, default=Writable())


def _probe(folder: Path) -> Writable:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, PROBE_BYTES)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EINVAL):  # A file system without reservation.
            return Writable()
        problem = f"a write to the served folder fails: {error.strerror}"
        return Writable(problem, error.errno in _READ_ONLY)
    return Writable()
