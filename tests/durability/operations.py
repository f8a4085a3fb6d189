"""A log of file operations, and the disk that a power loss may leave behind after any of them.

The model is the weakest that POSIX allows: what was written to a file since its last fsync may be
there or not, in any combination and torn into sectors; of the names that were made, changed or
removed in a directory since its last fsync, only the first few may be. Shared memory of SQLite
(`-shm`) is not on the disk.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

_HEAD = struct.Struct("<5q")
SECTOR = 512


@dataclass(frozen=True, slots=True)
class Operation:
    """kind: c(reate), m(ake directory), r(ename), u(nlink), w(rite), t(runcate), s(ync); f is a
    sync of a file whose whole content is `data`."""

    kind: str
    path: str
    second: str
    offset: int
    data: bytes


def read_log(path: Path) -> list[Operation]:
    """The operations that the shim recorded, in order."""
    log = path.read_bytes()
    found = []
    at = 0
    while at < len(log):
        kind, offset, *sizes = _HEAD.unpack_from(log, at)
        at += _HEAD.size
        pieces = []
        for size in sizes:
            pieces.append(log[at : at + size])
            at += size
        name, second, data = pieces
        found.append(Operation(chr(kind), name.decode(), second.decode(), offset, data))
    return found


@dataclass(slots=True)
class _File:
    durable: bytearray = field(default_factory=bytearray)
    pending: list[Operation] = field(default_factory=list)


class Disk:
    """What is on the disk for certain, and what may be."""

    def __init__(self) -> None:
        self._names: dict[str, _File | None] = {}
        """As the running program sees them; None is a directory."""
        self._durable: dict[str, _File | None] = {}
        self._pending: list[tuple[Operation, _File | None]] = []

    def apply(self, operation: Operation) -> None:
        """The program did this."""
        path = operation.path
        match operation.kind:
            case "c" | "m":
                made = _File() if operation.kind == "c" else None
                self._names[path] = made
                self._pending.append((operation, made))
            case "r":
                moved = self._names.pop(path, None)
                self._names[operation.second] = moved
                self._pending.append((operation, moved))
            case "u":
                self._names.pop(path, None)
                self._pending.append((operation, None))
            case "w" | "t":
                if (file := self._names.get(path)) is not None:
                    file.pending.append(operation)
            case "f":
                if (file := self._names.get(path)) is not None:
                    file.durable[:] = operation.data
                    file.pending.clear()
            case "s":
                file = self._names.get(path)
                if file is None:
                    self._sync_directory(path)
                else:
                    for one in file.pending:
                        _apply(file.durable, one)
                    file.pending.clear()

    def _sync_directory(self, path: str) -> None:
        kept = []
        for operation, file in self._pending:
            if _directory(operation) == path:
                _rename(self._durable, operation, file)
            else:
                kept.append((operation, file))
        self._pending = kept

    def after_power_loss(self, random: Random) -> Iterator[tuple[str, bytes | None]]:
        """One of the states that may be found: path -> content, None for a directory."""
        names = dict(self._durable)
        stopped: set[str] = set()
        for operation, file in self._pending:
            directory = _directory(operation)
            if directory in stopped or random.random() < 0.3:
                stopped.add(directory)
            else:
                _rename(names, operation, file)
        share = random.choice((0.0, 0.5, 0.9, 1.0))
        for path in sorted(names):
            if path.endswith("-shm"):
                continue
            file = names[path]
            yield path, None if file is None else _content(file, share, random)


def _content(file: _File, share: float, random: Random) -> bytes:
    content = bytearray(file.durable)
    for operation in file.pending:
        if random.random() < share:
            _apply(content, operation)
        elif operation.kind == "w" and random.random() < 0.3:
            torn = random.randrange(len(operation.data) + 1) // SECTOR * SECTOR
            _apply(content, Operation("w", "", "", operation.offset, operation.data[:torn]))
    return bytes(content)


def _apply(content: bytearray, operation: Operation) -> None:
    if operation.kind == "t":
        del content[operation.offset :]
        content.extend(bytes(operation.offset - len(content)))
    else:
        content.extend(bytes(max(0, operation.offset - len(content))))
        content[operation.offset : operation.offset + len(operation.data)] = operation.data


def _directory(operation: Operation) -> str:
    return (operation.second or operation.path).rpartition("/")[0]


def _rename(names: dict[str, _File | None], operation: Operation, file: _File | None) -> None:
    if operation.kind in "ru":
        names.pop(operation.path, None)
    if operation.kind != "u":
        names[operation.second or operation.path] = file


def materialise(state: Sequence[tuple[str, bytes | None]], root: str, folder: Path) -> None:
    """Write a state of the files below `root` into `folder`; what has no parent is unreachable."""
    folder.mkdir(parents=True)
    for path, content in state:  # Sorted: a directory comes before what is in it.
        target = folder / path.removeprefix(root).lstrip("/")
        if not target.parent.is_dir() or path == root:
            continue
        if content is None:
            target.mkdir(exist_ok=True)
        else:
            target.write_bytes(content)
