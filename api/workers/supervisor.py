"""The process that starts the workers of a server, replaces those that end, and stops them all.

It imports little, so it takes little memory.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from types import FrameType

from ...core import ConfigError, TwindexError
from ...index.arrays.files import remove_tree, try_lock
from ...index.arrays.temporary import remove_abandoned
from ..http.arrival.listener import STARTED, address_of, listen
from ..http.arrival.terminal import has_terminal
from ..http.logs import configure
from ..serving.operations.workers import (
    WRITER,
    Board,
    board_of,
    metrics_of,
    quotas_of,
    socket_of,
)
from ..serving.settings import Settings, usable_cpus
from .child import spec

logger = logging.getLogger(__name__)

_COMMAND = "from twindex.api.workers.child import main; main()"
_PREFIX = "twindex-workers-"
"""Start of the name of the folder of the workers."""
_POLL_SECONDS = 0.05
STEADY_SECONDS = 10.0
"""A worker that ends earlier than so many seconds after its start is replaced after a pause."""
PAUSES = (0.5, 30.0)
"""First and longest pause, in seconds. Each pause is twice as long as the one before."""
_GRACE = 3.0
"""Seconds beyond `shutdown_seconds` after which a worker is killed."""
_LONGEST_PATH = 100
"""Maximum number of bytes of the path of a socket."""
_STOPPED = (0, -signal.SIGTERM, -signal.SIGINT)
"""Exit statuses of a worker that has stopped as it should."""


class WorkerFailed(TwindexError):  # noqa: N818 - the message says what failed
    """A worker ended before the server was up. status: exit status of the server."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True)
class _Process:
    """The process of a worker.

    pause: seconds to wait before the next start, if this process ends soon.
    due:   time of the next start, on the monotonic clock; None while the process runs.
    """

    number: int
    popen: subprocess.Popen[bytes]
    began: float
    pause: float = PAUSES[0]
    due: float | None = None


def supervise(root: Path, *, host: str, port: int, settings: Settings) -> int:
    """Serve the collections in the folder `root` with several workers. Return the exit status.

    Until SIGINT or SIGTERM, workers that end are replaced. Then all workers end as a server with
    one worker does.

    Raises ConflictError if the port is in use, and ConfigError for an invalid address.
    """
    configure(settings.log_level, settings.log_format)
    with (
        closing(listen(host, port)) as listener,
        _folder() as (folder, lock),
        socket.socket(socket.AF_UNIX) as inner,
    ):
        inner.bind(str(socket_of(folder)))
        inner.listen(1_024)
        supervisor = Supervisor(root, host, settings, folder, lock, listener, inner)
        with supervisor.signals():
            status = supervisor.run(address_of(host, listener, settings))
    if supervisor.signalled == signal.SIGTERM and status == 0:
        signal.raise_signal(signal.SIGTERM)  # As a server with one worker ends.
    return status


@contextmanager
def _folder() -> Iterator[tuple[Path, int]]:
    """Return a context with a new folder for the workers, which is removed at its end.

    The second value is the descriptor of a lock on the folder. The folder is in use while a process
    has the descriptor. So `systemd-tmpfiles`, which removes old files, leaves it alone, and folders
    of servers that were killed are found and removed here.
    """
    remove_abandoned(Path(tempfile.gettempdir()), _PREFIX)
    lock = None
    while lock is None:  # Another process may have removed the folder before it was locked.
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        with suppress(FileNotFoundError):
            lock = try_lock(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if len(os.fsencode(socket_of(folder))) > _LONGEST_PATH:
            raise ConfigError(
                f"{folder} is too long for a socket; set TMPDIR to a shorter folder",
                field="workers",
            )
        metrics_of(folder).mkdir()
        quotas_of(folder).mkdir()
        yield folder, lock
    finally:
        remove_tree(folder)
        os.close(lock)


@dataclass
class Supervisor:
    """Starts, replaces and stops the workers.

    folder:   folder of the workers.
    lock:     descriptor of the lock on the folder, which the workers get too.
    listener: socket for clients.
    inner:    socket on which the worker that writes answers the others.
    signalled: the signal that stops the server; None: it runs.
    """

    root: Path
    host: str
    settings: Settings
    folder: Path
    lock: int
    listener: socket.socket
    inner: socket.socket
    signalled: int | None = None
    _forced: bool = False
    _reload: bool = False
    _wake: Event = field(default_factory=Event)
    _processes: list[_Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._board = Board(board_of(self.folder), self.settings.workers, create=True)
        self._started = int(time.time())
        self._terminal = has_terminal()

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Return a context in which SIGINT and SIGTERM stop the workers, and SIGHUP reloads."""
        handled = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, self._handle) for number in handled}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP and (has_terminal() or not self._terminal):
            self._reload = True
            self._wake.set()
            return
        self._forced = self.signalled is not None and number == signal.SIGINT
        self.signalled = self.signalled or number
        self._wake.set()

    def run(self, address: str) -> int:
        """Run until a signal. Return the exit status. address: address to log after the start."""
        try:
            # The first worker reports mistakes in the configuration, and creates what is missing.
            self._start(WRITER)
            if self._wait():
                for number in self._board.numbers[1:]:
                    self._start(number)
                if self._wait():
                    logger.info(STARTED, self.root, address)
                    logger.info("workers: %d", self.settings.workers)
            while self.signalled is None:
                self._watch()
                self._sleep()
        except WorkerFailed as error:
            logger.error("%s", error)
            self._stop()
            return error.status
        except BaseException:
            self._stop()
            raise
        return self._stop()

    # -- start and replace -----------------------------------------------------------------

    def _start(self, number: int, pause: float = PAUSES[0], *, again: bool = False) -> None:
        given = spec(self.root, self.host, self.settings, number, self.folder, self._started) | {
            "listener": self.listener.fileno(),
            "inner": self.inner.fileno(),
        }
        popen = subprocess.Popen(
            [sys.executable, "-P", "-c", _COMMAND],
            stdin=subprocess.PIPE,
            env=self._environment(),
            pass_fds=(self.listener.fileno(), self.inner.fileno(), self.lock),
            start_new_session=True,  # Ctrl-C ends this process, which stops the others.
        )
        assert popen.stdin is not None
        logger.info("worker %d is process %d", number, popen.pid)
        self._board.started(number, popen.pid, again=again)
        self._processes.append(_Process(number, popen, time.monotonic(), pause))
        with suppress(BrokenPipeError):  # Its exit status tells more.
            popen.stdin.write(json.dumps(given).encode() + b"\n")
            popen.stdin.flush()

    def _environment(self) -> dict[str, str]:
        own = str(Path(__file__).resolve().parents[3])
        found = [folder for folder in sys.path if os.path.isabs(folder)]
        path = found if own in found else [*found, own]
        threads = max(1, usable_cpus() // self.settings.workers)
        return {
            "OMP_NUM_THREADS": str(threads),  # Models of all workers share the processors.
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path),
        }

    def _wait(self) -> bool:
        """Wait until all workers that were started answer requests. Return False after a signal.

        Raises WorkerFailed if one of them ends.
        """
        while self.signalled is None:
            waiting = False
            for process in self._processes:
                status = process.popen.poll()
                if status is not None:
                    raise WorkerFailed(
                        f"worker {process.number} could not start ({_how(status)}); the server "
                        "stops",
                        status if status > 0 else 1,
                    )
                waiting |= not self._board.answers(process.number)
            if not waiting:
                return True
            self._sleep()
        return False

    def _watch(self) -> None:
        """Replace workers that have ended, and let the writer reload after SIGHUP."""
        if self._reload and self._board.answers(WRITER):
            self._reload = False
            os.kill(self._board.pid(WRITER), signal.SIGHUP)
        now = time.monotonic()
        for process in list(self._processes):
            if process.due is None and (status := process.popen.poll()) is not None:
                self._ended(process, status, now)
            if process.due is not None and now >= process.due:
                try:
                    self._start(process.number, process.pause, again=True)
                except OSError as error:  # Too many processes, or too little memory.
                    process.due = now + PAUSES[1]
                    logger.error("worker %d cannot be replaced now: %s", process.number, error)
                else:
                    self._processes.remove(process)
        ready = (self._board.state(number) == "ready" for number in self._board.numbers)
        if not self._board.began and all(ready):
            self._board.begin()
            logger.info("all workers are ready")

    def _ended(self, process: _Process, status: int, now: float) -> None:
        self._board.enter(process.number, "ended")
        if process.popen.stdin is not None:
            with suppress(OSError):
                process.popen.stdin.close()
        if now - process.began >= STEADY_SECONDS:
            process.pause, wait = PAUSES[0], 0.0
        else:
            wait, process.pause = process.pause, min(2 * process.pause, PAUSES[1])
        process.due = now + wait
        when = f"in {wait:g} seconds" if wait else "now"
        logger.error("worker %d ended (%s) and is replaced %s", process.number, _how(status), when)

    # -- stop ------------------------------------------------------------------------------

    def _stop(self) -> int:
        """Stop all workers. Return 0 if all of them stopped as they should, else 1."""
        logger.info("stopping")
        running = [process for process in self._processes if process.popen.poll() is None]
        for process in running:
            process.popen.send_signal(signal.SIGTERM)
        until = time.monotonic() + self.settings.shutdown_seconds + _GRACE
        forced = False
        # Each process is polled, because the last worker waits until the others are gone.
        while [process for process in running if process.popen.poll() is None]:
            if self._forced and not forced:
                forced = True
                for process in running:
                    process.popen.send_signal(signal.SIGINT)
            if time.monotonic() > until:
                for process in running:
                    process.popen.kill()
            self._sleep()
        for process in running:
            if process.popen.stdin is not None:
                with suppress(OSError):
                    process.popen.stdin.close()
        statuses = [process.popen.returncode for process in running]
        return 0 if all(status in _STOPPED for status in statuses) else 1

    def _sleep(self) -> None:
        """Wait for a short time, or until a signal."""
        self._wake.wait(_POLL_SECONDS)
        self._wake.clear()


def _how(status: int) -> str:
    """Return how a process ended, in words."""
    if status >= 0:
        return f"status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
