"""The audit log: one line of JSON for each request that writes or administers.

A line has no text of a document and no secret. In a chained log, each line has its number and the
SHA-256 of the line before it, and the file `NAME.head` has the number and the SHA-256 of the last
line. So a changed, removed or inserted line is found, and a cut end too, unless both files were
changed together: keep a copy of the head elsewhere to find that.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

from ....core import ConfigError

logger = logging.getLogger(__name__)

FIRST = "0" * 64
"""The SHA-256 that the first line of a chain names."""

_TAIL = 1 << 16
MOST = 32_000
"""Maximum number of bytes of a line."""


class AuditLog:
    """Appends lines to a file. Several threads and processes may append to the same file.

    chained: number the lines and link each to the line before it.

    Raises ConfigError if the file cannot be written.
    """

    def __init__(self, path: Path, *, chained: bool) -> None:
        self.path = path
        self._chained = chained
        self._lock = Lock()
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise ConfigError(
                f"{path} cannot be written ({error.strerror}); name a file in a folder that the "
                "server may write to",
                field="audit_log",
            ) from None

    def write(self, entry: Mapping[str, Any]) -> None:
        """Append an entry. It is on disk on return. A failure is logged, not raised."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        try:
            with self._lock:
                fcntl.flock(self._file, fcntl.LOCK_EX)
                try:
                    self._append({"time": now, **entry})
                finally:
                    fcntl.flock(self._file, fcntl.LOCK_UN)
        except OSError as error:
            logger.error("the audit log cannot be written: %s; %s", error.strerror, entry)

    def _append(self, entry: dict[str, Any]) -> None:
        last = self._last()
        if self._chained:
            number, previous = (0, FIRST) if last is None else (_number(last), digest(last))
            entry = {"number": number + 1, "previous": previous, **entry}
        line = json.dumps(entry, ensure_ascii=False).encode("utf-8", "backslashreplace")
        if os.write(self._file, line + b"\n") <= len(line):
            # The next entry cuts off the unfinished line, so the chain stays whole.
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(self._file)
        if self._chained:
            _write_head(self.path, entry["number"], digest(line))

    def _last(self) -> bytes | None:
        """Return the last line; None: there is none. Cuts off a line that a crash left unfinished.

        Its request was not answered.
        """
        size = os.fstat(self._file).st_size
        if size == 0:
            return None
        start = max(0, size - _TAIL)
        tail = os.pread(self._file, size - start, start)
        whole = tail.rfind(b"\n") + 1
        if whole < len(tail):
            os.ftruncate(self._file, start + whole)
        lines = tail[:whole].splitlines()
        return lines[-1] if lines else None

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def digest(line: bytes) -> str:
    """Return the SHA-256 of a line without its line break, in hexadecimal."""
    return sha256(line).hexdigest()


def _number(line: bytes) -> int:
    try:
        return int(json.loads(line)["number"])
    except (ValueError, KeyError, TypeError):
        return 0


def _head(path: Path) -> Path:
    return path.with_name(f"{path.name}.head")


def _write_head(path: Path, number: int, last: str) -> None:
    new = path.with_name(f"{path.name}.head.new")
    new.write_text(json.dumps({"number": number, "last": last}))
    os.replace(new, _head(path))


def problems(path: Path) -> list[str]:
    """Return what is wrong with a chained audit log: the first broken line, or a cut end.

    An unfinished last line is no problem: its request was not answered.
    """
    lines = path.read_bytes().split(b"\n")[:-1]
    for text in _broken(lines):
        return [f"{path}: {text}"]
    try:
        head = json.loads(_head(path).read_bytes())
        number, last = int(head["number"]), str(head["last"])
    except FileNotFoundError:
        return [f"{path}: {_head(path).name} is missing, so a cut end cannot be found"]
    except (ValueError, KeyError, TypeError):
        return [f"{path}: {_head(path).name} is damaged"]
    if number > len(lines):
        return [f"{path}: {number - len(lines)} lines are missing after line {len(lines)}"]
    if number and digest(lines[number - 1]) != last:
        return [f"{path}: line {number} differs from {_head(path).name}"]
    return []


def _broken(lines: list[bytes]) -> Iterator[str]:
    previous = FIRST
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
            named, own = entry["previous"], entry["number"]
        except (ValueError, KeyError, TypeError):
            yield f"line {number} is no line of a chained log"
            return
        if named != previous or own != number:
            # The line before was changed, or lines were removed or inserted before this one.
            yield f"line {number} does not follow the line before it"
        previous = digest(line)
