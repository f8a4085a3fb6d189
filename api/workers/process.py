"""The process of one worker: its start, its end, and when it is replaced."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..serving.settings import usable_cpus

_COMMAND = "from twindex.api.workers.child import main; main()"
STEADY_SECONDS = 10.0
"""A worker that ends earlier than so many seconds after its start is replaced after a pause."""
PAUSES = (0.5, 30.0)
"""First and longest pause, in seconds. Each pause is twice as long as the one before."""


@dataclass(slots=True)
class Process:
    """The process of a worker.

    pause: seconds to wait before the next start, if this process ends soon.
    began: time of its start, on the monotonic clock.
    due:   time of the next start, on the monotonic clock; None while the process runs.
    """

    number: int
    popen: subprocess.Popen[bytes]
    pause: float = PAUSES[0]
    began: float = field(default_factory=time.monotonic)
    due: float | None = None

    @classmethod
    def start(cls, number: int, files: Sequence[int], workers: int, pause: float) -> Process:
        """Start the process of a worker. It waits for `brief`.

        files:   descriptors that the process gets too.
        workers: number of workers, which share the processors.
        """
        popen = subprocess.Popen(
            [sys.executable, "-P", "-c", _COMMAND],
            stdin=subprocess.PIPE,
            env=_environment(workers),
            pass_fds=files,
            start_new_session=True,  # Ctrl-C ends this process, which stops the others.
        )
        return cls(number, popen, pause)

    def brief(self, spec: Mapping[str, Any]) -> None:
        """Let the worker begin. spec: what it needs; see `child.spec`."""
        assert self.popen.stdin is not None
        with suppress(BrokenPipeError):  # Its exit status tells more.
            self.popen.stdin.write(json.dumps(spec).encode() + b"\n")
            self.popen.stdin.flush()

    def close(self) -> None:
        """Close the pipe to a process that has ended."""
        if self.popen.stdin is not None:
            with suppress(OSError):
                self.popen.stdin.close()

    def postpone(self, now: float) -> float:
        """Set the time of the next start. Return the seconds until then; 0: at once.

        now: time of the end of the process, on the monotonic clock.
        """
        if now - self.began >= STEADY_SECONDS:
            self.pause, wait = PAUSES[0], 0.0
        else:
            wait, self.pause = self.pause, min(2 * self.pause, PAUSES[1])
        self.due = now + wait
        return wait


def _environment(workers: int) -> dict[str, str]:
    own = str(Path(__file__).resolve().parents[3])
    found = [folder for folder in sys.path if os.path.isabs(folder)]
    path = found if own in found else [*found, own]
    return {
        "OMP_NUM_THREADS": str(max(1, usable_cpus() // workers)),
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path),
    }


def how(status: int) -> str:
    """Return how a process ended, in words. status: its exit status."""
    if status >= 0:
        return f"status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
