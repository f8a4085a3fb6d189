"""Servers in processes of their own that start within a tenth of a second, to be killed often."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx2 as httpx

PARENT = """
import json, os, sys
from twindex.api.cli.main import main
import twindex.api.http.app, twindex.api.http.server, uvicorn
from twindex.index import CollectionConfig
for leg in CollectionConfig().legs.values():
    leg.warm()
print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        os.close(0)
        os.setpgid(0, 0)
        os._exit(main(["serve", *json.loads(line)]))
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Program that starts servers by forking, so that a start needs no imports and no compilation."""


class Parent:
    """A process that forks one server after another. Their logs go to `log`."""

    def __init__(self, log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.log = log
        self._running: int | None = None
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-c", PARENT],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
            )
        assert self._line() == "ready"

    def start(self, root: Path, *options: str) -> str:
        """Start a server of `root`. Return its address once it is ready, or can only not write."""
        assert self._running is None, "the last server still runs"
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([str(root), "--port", str(port), *options]) + "\n")
        self._process.stdin.flush()
        self._running = int(self._line())
        address = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=address, trust_env=False) as client:
            for _ in range(6_000):
                try:
                    if client.get("/readyz").json()["status"] != "loading":
                        return address
                except httpx.TransportError:
                    pass
                time.sleep(0.005)
        raise AssertionError(self.log.read_text()[-5_000:])

    @property
    def running(self) -> int:
        """The id of the server's process."""
        assert self._running is not None
        return self._running

    def end(self, how: signal.Signals | None = signal.SIGKILL) -> int:
        """Send a signal to the server, unless it is None, and wait. Return the exit status."""
        if how is not None:
            os.kill(self.running, how)
        status = int(self._line())
        self._running = None
        return status

    def stop(self) -> None:
        """Kill the server, if one runs."""
        if self._running is not None:
            self.end()

    def close(self) -> None:
        self.stop()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        assert line, self.log.read_text()[-5_000:]
        return line
