"""Damaged files while a server runs, and several processes that write one collection."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx2 as httpx
import pytest

from twindex.index import LocalStore

from .conftest import DOCUMENTS, Watched
from .forked import Parent
from .requests import BIRDS, NDJSON, finished, texts

BULK = f"{BIRDS}/documents/bulk"


def _damage(root: Path) -> Path:
    """Flip a bit of a file of a segment, and return the file."""
    path = next((root / "data" / "birds" / "segments").glob("*/lexical/*"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 8
    path.write_bytes(data)  # As a failing disk does it: the file keeps its name and its size.
    return path


def test_a_segment_that_is_damaged_while_it_is_served_is_named_and_never_merged(watched: Watched):
    root = watched.fresh()
    with watched.start(root) as client:
        path = _damage(root)
        queued = client.post(f"{BIRDS}/merge")
        for _ in range(2_000):
            job = client.get(f"/v1/jobs/{queued.json()['id']}").json()
            if job["state"] in ("done", "failed"):
                break
            time.sleep(0.01)
        assert job["state"] == "failed", job
        assert path.name in job["error"]
        assert str(root) not in job["error"]
        # Documents are not in segments. Other collections, and writes, go on.
        assert texts(client) == {n: text for n, text in DOCUMENTS.items() if n != "d7"}
        assert client.put(f"{BIRDS}/documents/new", json={"text": "new"}).status_code == 201
        assert client.post("/v1/collections/emus/search", json={"query": "bird"}).json()["hits"]
        snapshot = client.post(f"{BIRDS}/snapshots")
        for _ in range(2_000):
            job = client.get(f"/v1/jobs/{snapshot.json()['id']}").json()
            if job["state"] in ("done", "failed"):
                break
            time.sleep(0.01)
        assert job["state"] == "failed"
        assert path.name in job["error"]
    assert watched.parent.end() == -signal.SIGKILL
    with watched.start(root) as client:
        listed = client.get("/v1/collections").json()["collections"]
        states = {one["name"]: one["status"] for one in listed}
        assert states == {"birds": "damaged", "emus": "ready"}
        refused = client.post(f"{BIRDS}/search", json={"query": "bird"})
        assert (refused.status_code, refused.json()["code"]) == (503, "damaged")
        assert path.name in refused.json()["detail"]
        # The remedy works beside the damaged one.
        restored = client.post("/v1/collections/birds2/restore", json={"collection": "birds"})
        finished(client, restored)
        assert len(texts(client, "birds2")) == 89
        action = {"action": "set", "alias": "live", "collection": "birds2"}
        assert client.post("/v1/aliases", json={"actions": [action]}).status_code == 200
        assert client.delete(BIRDS).status_code == 204
    watched.parent.end()


@pytest.mark.slow
def test_two_servers_and_a_command_write_one_collection(watched: Watched, tmp_path: Path):
    root = watched.fresh()
    second = Parent(tmp_path / "log")
    stored: dict[str, str] = {}
    failures: list[str] = []
    lock = threading.Lock()

    def write(address: str, name: str) -> None:
        with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
            for number in range(40):
                one = f"{name}{number}"
                reply = client.put(f"{BIRDS}/documents/{one}", json={"text": f"bird {one}"})
                lines = json.dumps({"id": f"b{one}", "text": "bird"}) + "\n"
                query = {"async": "true"} if number % 4 == 0 else {}
                bulk = client.post(BULK, content=lines, headers=NDJSON, params=query)
                if number % 13 == 5:
                    client.post(f"{BIRDS}/merge")
                with lock:
                    if reply.status_code == 201 and bulk.status_code in (200, 202):
                        stored[one], stored[f"b{one}"] = f"bird {one}", "bird"
                    else:
                        failures.append(reply.text + bulk.text)

    def command() -> None:
        corpus = tmp_path / "corpus.jsonl"
        for number in range(2):
            lines = [{"_id": f"c{number}-{i}", "text": "command bird"} for i in range(30)]
            corpus.write_text("\n".join(map(json.dumps, lines)))
            program = "import sys; from twindex.api.cli.main import main; sys.exit(main())"
            arguments = ["add", str(root / "data" / "birds"), "--documents", str(corpus), "--quiet"]
            done = subprocess.run(
                [sys.executable, "-c", program, *arguments], capture_output=True, text=True
            )
            if done.returncode:
                failures.append(done.stderr)
            stored.update({one["_id"]: one["text"] for one in lines})

    try:
        addresses = [second.start(root / "data")]
        with watched.start(root) as client:
            addresses.append(str(client.base_url))
            threads = [
                threading.Thread(target=write, args=(addresses[n % 2], name))
                for n, name in enumerate("wxyz")
            ]
            threads.append(threading.Thread(target=command))
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert failures == []
            with httpx.Client(base_url=addresses[0], trust_env=False) as other:
                for one in (client, other):
                    for job in one.get("/v1/jobs").json()["jobs"]:
                        finished(one, httpx.Response(202, json=job))
                expected = stored | {n: text for n, text in DOCUMENTS.items() if n != "d7"}
                for one in (client, other):
                    assert texts(one) == expected
                    found = one.post(f"{BIRDS}/search", json={"query": "bird", "limit": 1_000})
                    assert {hit["id"] for hit in found.json()["hits"]} == set(expected)
        watched.parent.end()
    finally:
        second.close()
    assert LocalStore.verify(root / "data" / "birds") == []


def test_a_client_that_leaves_in_the_middle_of_a_bulk_body_writes_nothing(watched: Watched):
    root = watched.fresh()
    with watched.start(root) as client:
        before = texts(client)
        body = b"".join(b'{"id": "l%d", "text": "left"}\n' % n for n in range(3_000))
        for query in ("", "?async=true"):
            head = (
                f"POST {BULK}{query} HTTP/1.1\r\nhost: localhost\r\ncontent-type: "
                f"application/x-ndjson\r\ncontent-length: {len(body)}\r\n\r\n"
            )
            address = (client.base_url.host, client.base_url.port)
            with socket.create_connection(address) as connection:
                connection.sendall(head.encode() + body[: len(body) // 2])
                time.sleep(0.2)
        spool = root / "data" / "birds" / "jobs"
        for _ in range(500):
            if not list(spool.glob("*.ndjson")):
                break
            time.sleep(0.01)
        assert list(spool.glob("*.ndjson")) == []
        assert texts(client) == before
        assert all(job["kind"] != "bulk" for job in client.get("/v1/jobs").json()["jobs"])
        descriptors = len(os.listdir(f"/proc/{watched.parent.running}/fd"))
        assert descriptors < 200
    watched.parent.end()
