"""What the worker processes of a server know of each other.

A server with several workers has a temporary folder for them. It holds the board, which is a table
in a mapped file, the socket of the worker that writes, the metrics, and what keys have used.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from time import monotonic, monotonic_ns, sleep

STATES = ("absent", "starting", "loading", "ready", "stopping", "ended")
"""States of a worker. starting: it answers no requests yet. loading: it answers requests, and loads
collections and models. ended: its process has ended, and another one will replace it."""

WRITER = 1
"""Number of the worker that writes."""

_FIELDS = 9
_BEGAN, _CHANGES, _RELOADS = range(3)
_PID, _STATE, _RESTARTS, _CONNECTIONS, _RELOADED, _SEARCHES, _SEARCHED, _SPENT, _BEAT = range(
    _FIELDS
)
_RELOAD_SECONDS = 60.0
"""Maximum time to wait until other workers have reloaded."""


class Board:
    """A table with a row for each worker, in a file that all workers map.

    Each number has one process that writes it, and is read and written as a whole.

    path:  file of the table. create: make an empty table.
    count: number of workers.
    """

    def __init__(self, path: Path, count: int, *, create: bool = False) -> None:
        self.count = count
        self._lock = Lock()
        size = 8 * _FIELDS * (count + 1)
        flags = os.O_RDWR | (os.O_CREAT if create else 0)
        file = os.open(path, flags, 0o600)
        try:
            if create:
                os.ftruncate(file, size)
            self._numbers = memoryview(mmap.mmap(file, size)).cast("q")
        finally:
            os.close(file)

    @property
    def numbers(self) -> range:
        """The numbers of the workers, from 1."""
        return range(1, self.count + 1)

    # -- the server ------------------------------------------------------------------------

    @property
    def began(self) -> bool:
        """True once all workers were ready at the same time."""
        return self._numbers[_BEGAN] != 0

    def begin(self) -> None:
        """Note that all workers were ready at the same time."""
        self._numbers[_BEGAN] = 1

    @property
    def changes(self) -> int:
        """Number of collections that were created, deleted or replaced."""
        return self._numbers[_CHANGES]

    def change(self) -> None:
        """Count the creation, deletion or replacement of a collection. Only the writer calls it."""
        with self._lock:
            self._numbers[_CHANGES] += 1

    def reload(self) -> None:
        """Let the other workers reload, and wait for them. Only the writer calls it."""
        self._numbers[_RELOADS] += 1
        others = [number for number in self.numbers if number != WRITER]
        until = monotonic() + _RELOAD_SECONDS
        while any(self.answers(number) and self.must_reload(number) for number in others):
            if monotonic() > until:
                break
            sleep(0.02)

    # -- the workers -----------------------------------------------------------------------

    def started(self, number: int, pid: int, *, again: bool) -> None:
        """Note that the process of a worker was started. again: it replaces another process."""
        self._set(number, _CONNECTIONS, 0)
        self._set(number, _SEARCHES, 0)
        self._set(number, _STATE, STATES.index("starting"))
        self._set(number, _PID, pid)
        if again:
            self._set(number, _RESTARTS, self.restarts(number) + 1)

    def enter(self, number: int, state: str) -> None:
        """Set the state of a worker."""
        self.beat(number)
        self._set(number, _STATE, STATES.index(state))

    def beat(self, number: int) -> None:
        """Note that a worker reacts now."""
        self._set(number, _BEAT, monotonic_ns())

    def silence(self, number: int) -> float:
        """Return the seconds since a worker reacted last."""
        return (monotonic_ns() - self._get(number, _BEAT)) / 1e9

    def state(self, number: int) -> str:
        """Return the state of a worker; see STATES."""
        return STATES[self._get(number, _STATE)]

    def states(self) -> dict[str, str]:
        """Return number -> state, for all workers."""
        return {str(number): self.state(number) for number in self.numbers}

    def answers(self, number: int) -> bool:
        """Return True if a worker answers requests."""
        return self.state(number) in ("loading", "ready")

    def restarts(self, number: int) -> int:
        """Return how often a worker was replaced."""
        return self._get(number, _RESTARTS)

    def pid(self, number: int) -> int:
        """Return the id of a worker's process; 0 before its start."""
        return self._get(number, _PID)

    def must_reload(self, number: int) -> bool:
        """Return True if the writer has reloaded since the last `reloaded` of a worker."""
        return self._get(number, _RELOADED) != self._numbers[_RELOADS]

    def reloaded(self, number: int) -> None:
        """Note that a worker reads, or has read, the present files."""
        self._set(number, _RELOADED, self._numbers[_RELOADS])

    def connect(self, number: int, connections: int) -> None:
        """Note how many connections of clients a worker has."""
        self._set(number, _CONNECTIONS, connections)

    def fewest(self, besides: int) -> int | None:
        """Return the smallest number of connections of another worker that answers requests.

        None: there is no other such worker. besides: number of the worker that is left out.
        """
        others = (number for number in self.numbers if number != besides and self.answers(number))
        return min((self._get(number, _CONNECTIONS) for number in others), default=None)

    def search(self, number: int, searches: int, now: int, spent: int) -> None:
        """Note how many searches run in a worker.

        now: time in nanoseconds. spent: nanoseconds of processor time that the worker has used.
        """
        self._set(number, _SEARCHES, searches)
        self._set(number, _SEARCHED, now)
        self._set(number, _SPENT, spent)

    def searches(self, number: int) -> int:
        """Return how many searches run in a worker."""
        return self._get(number, _SEARCHES) if self.answers(number) else 0

    def searched(self, number: int) -> int:
        """Return when a search of a worker began or ended last, in nanoseconds."""
        return self._get(number, _SEARCHED)

    def spent(self, number: int) -> int:
        """Return the nanoseconds of processor time that a worker has used."""
        return self._get(number, _SPENT)

    def alive(self) -> Iterator[int]:
        """Yield the numbers of the workers whose processes exist."""
        for number in self.numbers:
            pid = self.pid(number)
            if pid and self.state(number) != "ended":
                try:
                    os.kill(pid, 0)
                except ProcessLookupError:
                    continue
                yield number

    def _get(self, number: int, field: int) -> int:
        return self._numbers[number * _FIELDS + field]

    def _set(self, number: int, field: int, value: int) -> None:
        self._numbers[number * _FIELDS + field] = value


@dataclass(frozen=True, slots=True)
class Place:
    """The place of this process among the workers of a server.

    number:  number of this worker, from 1.
    folder:  temporary folder of the server.
    board:   the table of all workers.
    started: time when the server was started, in seconds since 1970.
    """

    number: int
    folder: Path
    board: Board
    started: int

    @classmethod
    def join(cls, number: int, count: int, folder: Path, started: int) -> Place:
        """Return the place of a worker. The server has `count` workers."""
        board = Board(board_of(folder), count)
        board.reloaded(number)
        return cls(number, folder, board, started)

    @property
    def writes(self) -> bool:
        """True if this worker writes."""
        return self.number == WRITER

    @property
    def restarted(self) -> bool:
        """True if this process replaces one that ended."""
        return self.board.restarts(self.number) > 0


def board_of(folder: Path) -> Path:
    """Return the file of the board."""
    return folder / "board"


def socket_of(folder: Path) -> Path:
    """Return the socket on which the worker that writes answers the others."""
    return folder / "writer.sock"


def metrics_of(folder: Path) -> Path:
    """Return the folder of the metrics."""
    return folder / "metrics"


def keys_of(folder: Path) -> Path:
    """Return the file that is there once the server has had a file of keys."""
    return folder / "keys"


def quotas_of(folder: Path) -> Path:
    """Return the folder of what keys have used."""
    return folder / "quotas"
