"""A real server with several worker processes."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

COMMAND = "import sys; from twindex.api.cli.main import main; sys.exit(main())"
LEXICAL = {"legs": {"lexical": {"kind": "lexical"}}}
BIRDS = "/v1/collections/birds"
NDJSON = {"content-type": "application/x-ndjson"}


class Workers:
    """`twindex serve --workers N` on a free port. The log is in `log`."""

    def __init__(self, root: Path, *options: str, workers: int = 2) -> None:
        root.mkdir(exist_ok=True)
        command = [sys.executable, "-c", COMMAND, "serve", str(root), "--port", "0"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [*command, "--workers", str(workers), *options],
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.log: list[str] = []
        self._reading = threading.Thread(target=self._drain, daemon=True)
        self._reading.start()
        found = self.logged(r" at (https?)://[^ ]+:(\d+)")
        self.secure, self.port = found[1] == "https", int(found[2])
        until = time.monotonic() + 120
        while self.call("GET", "/readyz")[0] != 200:
            assert time.monotonic() < until, "".join(self.log)
            time.sleep(0.05)

    def _drain(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line)

    def logged(self, pattern: str, *, times: int = 1) -> re.Match[str]:
        """Wait until lines of the log match a pattern so many times. Return the last match."""
        until = time.monotonic() + 120
        while time.monotonic() < until:
            found = list(re.finditer(pattern, "".join(self.log)))
            if len(found) >= times:
                return found[-1]
            assert self._reading.is_alive(), "".join(self.log)
            time.sleep(0.02)
        raise AssertionError("".join(self.log))

    def connect(self) -> http.client.HTTPConnection:
        if self.secure:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=context)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        connection: http.client.HTTPConnection | None = None,
    ) -> tuple[int, Any, dict[str, str]]:
        """Send a request, by default on a connection of its own."""
        raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        own = connection or self.connect()
        try:
            sent = {"content-type": "application/json", **(headers or {})}
            own.request(method, path, raw, sent if raw is not None else headers or {})
            reply = own.getresponse()
            text = reply.read()
            fields = {name.lower(): value for name, value in reply.getheaders()}
            kind = fields.get("content-type", "")
            return reply.status, json.loads(text) if "json" in kind else text, fields
        finally:
            if connection is None:
                own.close()

    def pids(self) -> dict[int, int]:
        """Return number of a worker -> id of its latest process."""
        found = re.findall(r"worker (\d+) is process (\d+)", "".join(self.log))
        return {int(number): int(pid) for number, pid in found}

    def documents(self) -> int:
        total: int = self.call("GET", f"{BIRDS}/documents?limit=1")[1]["total"]
        return total

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(60)


def total(text: bytes, name: str) -> float:
    """Return the sum of the samples whose line begins with `name`."""
    lines = (line for line in text.decode().splitlines() if line.startswith(name))
    return sum(float(line.rpartition(" ")[2]) for line in lines)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Workers]]:
    servers: list[Workers] = []

    def begin(*options: str, workers: int = 2) -> Workers:
        servers.append(Workers(tmp_path / "data", *options, workers=workers))
        return servers[-1]

    yield begin
    for server in servers:
        if server.process.poll() is None:
            server.stop(signal.SIGTERM)
        assert server.process.stderr is not None
        server._reading.join(10)
        server.process.stderr.close()
