"""The file `collection.mark`: the generation of the latest acknowledged write of a collection.

The generation is the number of transactions that have changed the collection.

SQLite silently ends the recovery of a write-ahead log at the first damaged frame. One flipped bit
can therefore remove acknowledged transactions. To notice this, the mark is written after each
commit. If a database that is opened has an earlier generation than the mark, writes are missing.

The mark is not synced. It is never ahead of the data on disk. After a power loss it may be behind,
and then some missing writes are not noticed. A damaged or missing mark is not a loss of data:
`verify` reports a damaged mark, and the next write replaces it.
"""

from __future__ import annotations

import fcntl
import logging
import os
from pathlib import Path
from zlib import crc32

from ....core import CorruptFileError, StorageError

FILE_NAME = "collection.mark"
_HEAD = b"twindex mark 1 %020d "
_LENGTH = len(_HEAD % 0) + 9

logger = logging.getLogger(__name__)


class Mark:
    """The file `collection.mark`, which records the generation of the latest acknowledged write.

    Several processes may write the file at once.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE_NAME

    def read(self) -> int | None:
        """Return the generation in the mark file, or None if the file is missing.

        Raises CorruptFileError for a damaged file.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CorruptFileError(
                self.path, f"cannot be read ({error})", remedy="make the file readable"
            ) from error
        generation = _parse(data)
        if generation is None:
            raise CorruptFileError(
                self.path,
                "is damaged (its checksum does not match)",
                remedy="no document is lost; the next write replaces the file",
            )
        return generation

    def read_or_zero(self) -> int:
        """Return the generation in the mark file, or 0 if the file is missing or damaged.

        Logs a warning for a damaged file.
        """
        try:
            return self.read() or 0
        except CorruptFileError as error:
            logger.warning("%s", error)
            return 0

    def raise_to(self, generation: int) -> None:
        """Write `generation` into the mark file, unless the file has a higher generation.

        A failed write is only logged, because the commit itself has succeeded.
        """
        try:
            self._write(generation, lower=False)
        except OSError as error:
            logger.warning("%s: cannot be written: %s", self.path, error)

    def reset(self, generation: int) -> None:
        """Write `generation` into the mark file, even if the file has a higher generation.

        The file is synced to disk on return.

        Raises StorageError if the file cannot be written.
        """
        try:
            self._write(generation, lower=True)
        except OSError as error:
            raise StorageError(f"{self.path}: cannot be written ({error})") from error

    def _write(self, generation: int, *, lower: bool) -> None:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            # Another process may have committed a later generation.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            present = _parse(os.pread(descriptor, _LENGTH + 1, 0))
            if lower or present is None or present < generation:
                head = _HEAD % generation
                os.pwrite(descriptor, head + b"%08x\n" % crc32(head), 0)
                os.ftruncate(descriptor, _LENGTH)
            if lower:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _parse(data: bytes) -> int | None:
    """Return the generation in `data`, the content of a mark file; None for invalid data."""
    if len(data) != _LENGTH or data[-9:] != b"%08x\n" % crc32(data[:-9]):
        return None
    return int(data[-30:-10])
