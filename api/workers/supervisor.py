"""The process that starts the workers of a server, replaces those that end, and stops them all.

It imports little, so it takes little memory.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from types import FrameType

from ...core import TwindexError
from ..http.arrival.listener import STARTED, address_of, listen
from ..http.arrival.terminal import has_terminal
from ..http.logs import configure
from ..serving.operations.workers import WRITER, Board, board_of, socket_of
from ..serving.settings import Settings
from .child import spec
from .folder import folder_of_workers
from .process import PAUSES, Process, how

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.05
_GRACE = 3.0
"""Seconds beyond `shutdown_seconds` after which a worker is killed."""
_STOPPED = (0, -signal.SIGTERM, -signal.SIGINT)
"""Exit statuses of a worker that has stopped as it should."""


class WorkerFailed(TwindexError):  # noqa: N818 - the message says what failed
    """A worker ended before the server was up. status: exit status of the server."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def supervise(root: Path, *, host: str, port: int, settings: Settings) -> int:
    """Serve the collections in the folder `root` with several workers. Return the exit status.

    Until SIGINT or SIGTERM, workers that end are replaced. Then all workers end as a server with
    one worker does.

    Raises ConflictError if the port is in use, and ConfigError for an invalid address.
    """
    configure(settings.log_level, settings.log_format)
    with (
        closing(listen(host, port)) as listener,
        folder_of_workers() as (folder, lock),
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
    _processes: list[Process] = field(default_factory=list)

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
        files = (self.listener.fileno(), self.inner.fileno(), self.lock)
        process = Process.start(number, files, self.settings.workers, pause)
        logger.info("worker %d is process %d", number, process.popen.pid)
        self._board.started(number, process.popen.pid, again=again)
        self._processes.append(process)
        process.brief(given)

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
                        f"worker {process.number} could not start ({how(status)}); the server "
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

    def _ended(self, process: Process, status: int, now: float) -> None:
        self._board.enter(process.number, "ended")
        process.close()
        wait = process.postpone(now)
        when = f"in {wait:g} seconds" if wait else "now"
        logger.error("worker %d ended (%s) and is replaced %s", process.number, how(status), when)

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
            process.close()
        statuses = [process.popen.returncode for process in running]
        return 0 if all(status in _STOPPED for status in statuses) else 1

    def _sleep(self) -> None:
        """Wait for a short time, or until a signal."""
        self._wake.wait(_POLL_SECONDS)
        self._wake.clear()
