"""Workers follow collections that the first worker replaces and restores."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest

from twindex.api.http.arrival.following import Follower
from twindex.api.serving.measuring.metrics import Metrics
from twindex.api.serving.operations.reloading import Reloading, ServedParts
from twindex.api.serving.operations.workers import Board, Place, board_of
from twindex.api.serving.settings import Settings

from .conftest import BIRDS, NDJSON
from .test_faults import Load

FAKE = {
    "legs": {
        "dense": {"kind": "dense", "encoder": {"kind": "dense", "model": "fake"}},
        "lexical": {"kind": "lexical"},
    }
}


def finished(server, reply) -> None:
    status, job, _ = reply
    assert status == 202, job
    until = time.monotonic() + 60
    while (found := server.call("GET", f"/v1/jobs/{job['id']}")[1])["state"] != "done":
        assert found["state"] != "failed", found
        assert time.monotonic() < until, found
        time.sleep(0.05)


@pytest.mark.slow
def test_every_worker_follows_a_reembedding_and_a_restoration(start, tmp_path):
    server = start("--snapshots", str(tmp_path / "snapshots"))
    server.call("PUT", BIRDS, FAKE)
    lines = b"".join(b'{"id": "d%d", "text": "a bird"}\n' % n for n in range(30))
    assert server.call("POST", f"{BIRDS}/documents/bulk", lines, NDJSON)[0] == 200
    load = Load(server)
    finished(server, server.call("POST", f"{BIRDS}/snapshots"))
    finished(server, server.call("POST", f"{BIRDS}/reembed", {"legs": {"dense": None}}))
    for _ in range(8):
        assert set(server.call("GET", BIRDS)[1]["config"]["legs"]) == {"lexical"}
    assert server.call("POST", f"{BIRDS}/reembed/roll-back")[1] == {"changed": True}
    for _ in range(8):
        assert set(server.call("GET", BIRDS)[1]["config"]["legs"]) == {"dense", "lexical"}
    copy = "/v1/collections/copy"
    finished(server, server.call("POST", f"{copy}/restore", {"collection": "birds"}))
    for _ in range(8):
        assert server.call("GET", f"{copy}/documents?limit=1")[1]["total"] == 30
        body = {"model": "copy/dense", "input": "a bird"}
        assert server.call("POST", "/v1/embeddings", body)[0] == 200
    assert set(load.end()) == {200}


def test_a_worker_follows_on_after_a_reload_that_failed_unexpectedly(tmp_path, monkeypatch, caplog):
    Board(board_of(tmp_path), 2, create=True)
    place = Place.join(2, 2, tmp_path, 0)
    looks: list[int] = []

    def fail() -> None:
        raise RuntimeError("no memory on the device")

    reloading = Reloading(ServedParts.of(Settings()), Settings(), lambda: False)
    monkeypatch.setattr(reloading, "_replace", fail)
    service: Any = SimpleNamespace(
        writes=False,
        loading=False,
        reloading=reloading,
        collections=lambda: looks.append(1),
    )
    follower = Follower(service, Metrics(), place)

    async def attend() -> None:
        task = asyncio.create_task(follower.attend(lambda: None))
        writer = Place.join(1, 2, tmp_path, 0)
        place.board.enter(2, "ready")
        await asyncio.to_thread(writer.board.reload)
        writer.board.change()
        until = time.monotonic() + 10
        while len(looks) < 2 and not task.done() and time.monotonic() < until:
            await asyncio.sleep(0.05)
        assert not task.done()
        task.cancel()

    asyncio.run(attend())
    assert len(looks) == 2
    assert "no memory on the device" in caplog.text
    assert (reloading.counts["refused"], reloading.problem) == (1, "an unexpected error")
