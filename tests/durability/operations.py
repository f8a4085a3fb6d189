"""A log of file operations, and a model of the disk after a power loss at any of them.

The model makes only the guarantees of POSIX. Writes to a file since its last fsync survive in any
combination, and each may be torn into sectors. Of the names created, renamed or removed in a
directory since its last fsync, the first few survive. SQLite's shared memory (`-shm`) is not on
disk.
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
    """A recorded file operation.

    kind: c(reate), m(ake directory), r(ename), u(nlink), w(rite), t(runcate) or s(ync). f is the
        sync of a file whose whole content is `data`.
    path: the file or directory. second: the new path of a rename.
    offset: position of a write, or the size after a truncation.
    data: bytes written.
    """

    kind: str
    path: str
    second: str
    offset: int
    data: bytes


def read_log(path: Path) -> list[Operation]:
    """Return the operations that the shim recorded, in order."""
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
    """The durable state of a disk, and the pending operations that a power loss may drop."""

    def __init__(self) -> None:
        self._names: dict[str, _File | None] = {}
        """Path -> file, as the running program sees it. None: a directory."""
        self._durable: dict[str, _File | None] = {}
        self._pending: list[tuple[Operation, _File | None]] = []

    def apply(self, operation: Operation) -> None:
        """Apply an operation of the program."""
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
                _apply_name(self._durable, operation, file)
            else:
                kept.append((operation, file))
        self._pending = kept

    def after_power_loss(self, random: Random) -> Iterator[tuple[str, bytes | None]]:
        """Yield (path, content) of a random state after a power loss. None: a directory."""
        names = dict(self._durable)
        stopped: set[str] = set()
        for operation, file in self._pending:
            directory = _directory(operation)
            if directory in stopped or random.random() < 0.3:
                stopped.add(directory)
            else:
                _apply_name(names, operation, file)
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


def _apply_name(names: dict[str, _File | None], operation: Operation, file: _File | None) -> None:
    if operation.kind in "ru":
        names.pop(operation.path, None)
    if operation.kind != "u":
        names[operation.second or operation.path] = file


def materialise(state: Sequence[tuple[str, bytes | None]], root: str, folder: Path) -> None:
    """Write the files of `state` into `folder`. Skip files without a parent folder.

    root: the folder in the paths of `state` that `folder` replaces.
    """
    folder.mkdir(parents=True)
    for path, content in state:  # Sorted: a directory precedes its files.
        target = folder / path.removeprefix(root).lstrip("/")
        if not target.parent.is_dir() or path == root:
            continue
        if content is None:
            target.mkdir(exist_ok=True)
        else:
            target.write_bytes(content)
