"""A collector that hangs, fails or is absent, and a real server that sends spans to it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing

import pytest

from ..serving.test_server_process import Server

BIRDS = "/v1/collections/birds"
pytestmark = pytest.mark.slow


@pytest.fixture
def start(tmp_path):
    servers = []

    def begin(**variables):
        servers.append(Server(tmp_path, **variables))
        return servers[-1]

    yield begin
    for server in servers:
        if server.process.poll() is None:
            server.stop(signal.SIGKILL)
        server.process.stderr.close()


def absent():
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return f"http://operator:marked@127.0.0.1:{free.getsockname()[1]}"


def searches(server, fake_config, count=200):
    """Create a collection and search it. Return the seconds of each search, sorted."""
    assert server.client.put(BIRDS, json=fake_config).status_code in (200, 201)
    found = []
    for _ in range(count):
        began = time.perf_counter()
        assert server.client.post(f"{BIRDS}/search", json={"query": "a"}).status_code == 200
        found.append(time.perf_counter() - began)
    return sorted(found)


@pytest.mark.parametrize("kind", ["hangs", "absent"])
def test_no_request_waits_for_a_dead_collector(start, collector, fake_config, kind):
    collector.seconds = 60.0
    url = collector.url if kind == "hangs" else absent()
    first = start()
    plain = searches(first, fake_config)
    first.stop()
    variables = {"TWINDEX_TRACES": url, "TWINDEX_LOG_FORMAT": "json"}
    server = start(**variables, OTEL_BSP_SCHEDULE_DELAY="50", OTEL_BSP_MAX_QUEUE_SIZE="600")
    traced = searches(server, fake_config)
    # Quick searches of fake encoders; anything that waited for the collector would take seconds.
    assert traced[190] < plain[190] + 0.25, (plain[190], traced[190])
    if kind == "absent":
        server.wait_for_log("does not take traces")
    began = time.perf_counter()
    assert server.stop() == -signal.SIGTERM
    assert time.perf_counter() - began < 10
    lines = [json.loads(line) for line in server.log if line.startswith("{")]
    assert sum("does not take traces" in line["message"] for line in lines) <= 1
    assert "marked" not in "".join(server.log), "the name and password of a URL are no text of logs"
    assert not any(line["level"] == "error" for line in lines)


def test_a_stopping_server_sends_its_last_spans(start, collector):
    server = start(TWINDEX_TRACES=collector.url, OTEL_BSP_SCHEDULE_DELAY="60000")
    server.client.get("/v1/aliases")
    assert server.stop() == -signal.SIGTERM
    assert "GET /v1/aliases" in [span["name"] for span in collector.spans]


def test_an_invalid_collector_is_refused_at_the_start(tmp_path):
    command = "import sys; from twindex.api.cli.main import main; sys.exit(main())"
    arguments = [sys.executable, "-c", command, "serve", str(tmp_path), "--traces", "collector"]
    for more in ([], ["--check-config"]):
        done = subprocess.run(
            [*arguments, *more], capture_output=True, text=True, env={**os.environ}, timeout=60
        )
        assert done.returncode in (1, 2)
        assert "traces: must be the address of a collector" in done.stderr


def test_a_missing_package_is_named(tmp_path):
    command = (
        "import sys; sys.modules['opentelemetry.sdk'] = None\n"
        "from twindex.api.cli.main import main; sys.exit(main())"
    )
    arguments = [sys.executable, "-c", command, "serve", str(tmp_path)]
    done = subprocess.run(
        [*arguments, "--traces", "http://127.0.0.1:9"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    assert "pip install 'twindex[otel]'" in done.stderr
    assert "Traceback" not in done.stderr
