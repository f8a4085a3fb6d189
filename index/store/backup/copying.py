"""Copies the bytes of a snapshot at a limited rate, and computes their checksums."""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Iterator
from hashlib import sha256
from typing import BinaryIO

from ....core import Progress
from ...arrays.files import FileState
from .manifest import SnapshotFile

BLOCK = 1 << 20
_REPORT_SECONDS = 1.0
"""Seconds between two reports of progress, which a job stores on disk."""


class Pace:
    """Limits the rate of copying and reports its progress.

    rate: bytes per second; None: no limit.
    """

    def __init__(self, rate: int | None, progress: Progress) -> None:
        self._rate = rate
        self._progress = progress
        self._began = time.monotonic()
        self._copied = 0
        self._reported = 0
        self._report_at = self._began + _REPORT_SECONDS

    def advance(self, size: int) -> None:
        """Record that `size` bytes were copied. Sleeps if that was faster than the rate."""
        self._copied += size
        if (now := time.monotonic()) >= self._report_at:
            self._report_at = now + _REPORT_SECONDS
            self.report()
        if self._rate is not None:
            ahead = self._copied / self._rate - (now - self._began)
            if ahead > 0:
                time.sleep(ahead)

    def report(self) -> None:
        """Report all bytes that were copied."""
        self._progress.advance(self._copied - self._reported)
        self._reported = self._copied


def blocks_of(descriptor: int) -> Iterator[bytes]:
    """Yield the bytes of an open file, from its start, in blocks."""
    position = 0
    while block := os.pread(descriptor, BLOCK, position):
        yield block
        position += len(block)


def blocks_in(file: BinaryIO) -> Iterator[bytes]:
    """Yield the bytes that are left in `file`, in blocks."""
    while block := file.read(BLOCK):
        yield block


class Sums:
    """The size and the checksums of a sequence of blocks."""

    def __init__(self) -> None:
        self._sha256 = sha256()
        self._crc32 = 0
        self._size = 0

    def add(self, block: bytes) -> None:
        self._sha256.update(block)
        self._crc32 = zlib.crc32(block, self._crc32)
        self._size += len(block)

    @property
    def state(self) -> FileState:
        """Size and CRC-32, which the database of a collection records."""
        return FileState(self._size, self._crc32)

    @property
    def file(self) -> SnapshotFile:
        """Size and SHA-256, which the manifest records."""
        return SnapshotFile(self._size, self._sha256.hexdigest())
