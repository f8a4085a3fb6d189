"""Several workers look like one server: writes, reads, jobs, aliases, limits, metrics, a stop."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time

import pytest

from twindex.api.serving.access.audit import problems

from .conftest import BIRDS, LEXICAL, NDJSON, total

FAKE = {
    "legs": {
        "dense": {"kind": "dense", "encoder": {"kind": "dense", "model": "fake"}},
        "lexical": {"kind": "lexical"},
    }
}


@pytest.mark.slow
def test_several_workers_are_one_server(start, tmp_path):
    log = tmp_path / "audit.log"
    server = start("--audit-log", str(log), "--audit-chain", "--log-format", "json")
    assert server.call("GET", "/readyz")[1]["workers"] == {"1": "ready", "2": "ready"}

    # Every request has a connection of its own, so it may reach any worker.
    assert server.call("PUT", BIRDS, FAKE)[0] == 201
    for n in range(20):
        path = f"{BIRDS}/documents/d{n}"
        assert server.call("PUT", path, {"text": f"bird number{n}"})[0] == 201
        assert server.call("GET", path)[0] == 200
        hits = server.call("POST", f"{BIRDS}/search", {"query": f"number{n}"})[1]["hits"]
        assert hits[0]["id"] == f"d{n}"
    for _ in range(4):
        body = {"model": "birds/dense", "input": "a bird"}
        assert server.call("POST", "/v1/embeddings", body)[0] == 200

    # Both workers answered, and the metrics count every request once.
    text = server.call("GET", "/metrics")[1]
    route = 'route="/v1/collections/{collection}/documents/{id:text}",status="201"'
    assert total(text, f'twindex_requests_total{{method="PUT",{route}') == 20
    assert total(text, 'twindex_search_seconds_count{collection="birds"}') == 20
    assert total(text, 'twindex_workers{state="ready"}') == 2

    # An idempotent request runs once, whichever worker gets it.
    lines = b'{"id": "x", "text": "one"}\n'
    replies = [
        server.call("POST", f"{BIRDS}/documents/bulk", lines, {**NDJSON, "idempotency-key": "k"})
        for _ in range(6)
    ]
    assert {json.dumps(reply[1]) for reply in replies} == {json.dumps(replies[0][1])}
    assert [reply[2].get("idempotent-replayed") for reply in replies] == [None] + 5 * ["true"]

    # A job is seen everywhere, and so is a replaced, a deleted and a renamed collection.
    job = server.call("POST", f"{BIRDS}/merge", None)[1]["id"]
    states = [server.call("GET", f"/v1/jobs/{job}")[0] for _ in range(6)]
    assert states == 6 * [200]
    other = "/v1/collections/other"
    for n in range(3):
        assert server.call("PUT", other, LEXICAL)[0] == 201
        assert server.call("PUT", f"{other}/documents/o{n}", {"text": "an owl"})[0] == 201
        actions = [{"action": "set", "alias": "now", "collection": "other" if n % 2 else "birds"}]
        assert server.call("POST", "/v1/aliases", {"actions": actions})[0] == 200
        for _ in range(6):
            found = server.call("GET", "/v1/collections/now")[1]["name"]
            assert found == ("other" if n % 2 else "birds")
            listed = server.call("GET", f"{other}/documents")[1]["documents"]
            assert [document["id"] for document in listed] == [f"o{n}"]
        if n % 2:
            assert (
                server.call(
                    "POST", "/v1/aliases", {"actions": [{"action": "delete", "alias": "now"}]}
                )[0]
                == 200
            )
        assert server.call("DELETE", other)[0] == 204
        assert {server.call("GET", f"{other}/documents")[0] for _ in range(6)} == {404}

    # An error keeps its form, and its request id is in the log of the worker that replied.
    status, body, fields = server.call("PUT", f"{BIRDS}/documents/y", {"text": 3})
    assert (status, body["request_id"]) == (422, fields["x-request-id"])
    assert server.call("POST", f"{BIRDS}/documents/bulk", b"x" * 100, {})[0] == 415

    assert server.stop() == -signal.SIGTERM
    assert problems(log) == []
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert sum(entry["action"] == "put_document" for entry in entries) == 24
    started = [json.loads(line) for line in server.log if line.startswith("{")]
    assert {entry.get("worker") for entry in started} == {None, 1, 2}


@pytest.mark.slow
def test_connections_are_shared_out(start):
    server = start()
    server.call("PUT", BIRDS, LEXICAL)
    connections = [server.connect() for _ in range(8)]
    try:
        for connection in connections:
            assert server.call("GET", BIRDS, connection=connection)[0] == 200
            time.sleep(0.15)
        opened = total(server.call("GET", "/metrics")[1], "process_open_fds")
        by_worker = [
            float(line.rpartition(" ")[2])
            for line in server.call("GET", "/metrics")[1].decode().splitlines()
            if line.startswith("process_open_fds")
        ]
    finally:
        for connection in connections:
            connection.close()
    assert opened > 0
    assert abs(by_worker[0] - by_worker[1]) <= 6


@pytest.mark.slow
def test_a_reload_reaches_every_worker(start, tmp_path):
    file = tmp_path / "rerankers.toml"
    table = "[rerankers.{}]\nkind = 'fake'\n"
    file.write_text(table.format("first"))
    server = start("--rerankers", str(file))
    file.write_text(table.format("second"))
    assert server.call("POST", "/v1/reload", {})[0] == 200
    found = {json.dumps(server.call("GET", "/readyz")[1]["rerankers"]) for _ in range(8)}
    assert found == {'{"second": "ready"}'}
    file.write_text(table.format("third"))
    server.process.send_signal(signal.SIGHUP)
    server.logged("rerankers reloaded", times=4)
    found = {json.dumps(server.call("GET", "/readyz")[1]["rerankers"]) for _ in range(8)}
    assert found == {'{"third": "ready"}'}


@pytest.mark.slow
def test_workers_speak_https_and_reach_the_writer(start, tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    file = tmp_path / "both.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    command += ["-subj", "/CN=localhost", "-keyout", str(file), "-out", str(tmp_path / "c.pem")]
    subprocess.run(command, check=True, capture_output=True)
    file.write_text(file.read_text() + (tmp_path / "c.pem").read_text())
    server = start("--tls-certificate", str(file))
    for n in range(8):
        assert server.call("PUT", BIRDS, LEXICAL)[0] in (200, 201)
        assert server.call("PUT", f"{BIRDS}/documents/{n}", {"text": "a bird"})[0] == 201
    assert server.documents() == 8


@pytest.mark.slow
def test_a_request_whose_body_is_dropped_is_refused_by_every_worker(start):
    server = start()
    server.call("PUT", BIRDS, LEXICAL)
    connections = [server.connect() for _ in range(4)]
    headers = {"connection": "upgrade", "upgrade": "h2c"}
    path = f"{BIRDS}/documents/a"
    found = [server.call("PUT", path, {"text": "bird"}, headers, one)[0] for one in connections]
    for connection in connections:
        connection.close()
    assert found == [400] * 4, "HTTP/2 is not spoken, and no body follows such a head"
    assert not any("failed" in line for line in server.log), server.log
