"""Several workers look like one server: writes, reads, jobs, aliases, metrics, a stop."""

from __future__ import annotations

import json
import signal
import time

from .conftest import BIRDS, LEXICAL, NDJSON


def test_several_workers_are_one_server(start):
    server = start()
    assert server.call("GET", "/readyz")[1]["workers"] == {"1": "ready", "2": "ready"}
    # Every request has a connection of its own, so it may reach any worker.
    assert server.call("PUT", BIRDS, LEXICAL)[0] == 201
    for n in range(20):
        path = f"{BIRDS}/documents/d{n}"
        assert server.call("PUT", path, {"text": f"bird number{n}"})[0] == 201
        assert server.call("GET", path)[0] == 200
        hits = server.call("POST", f"{BIRDS}/search", {"query": f"number{n}"})[1]["hits"]
        assert [hit["id"] for hit in hits] == [f"d{n}"]
    print(server.pids())
    print(server.call("GET", "/metrics")[1].decode())
    assert server.stop() == -signal.SIGTERM
