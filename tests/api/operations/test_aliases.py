"""Aliases work wherever names of collections do, and change all at once or not at all."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from twindex.api.http.shapes.upkeep import AliasList
from twindex.api.serving.operations.aliases import FILE, Aliases, pin
from twindex.core import ConflictError, CorruptFileError


def change(client, *actions):
    return client.post("/v1/aliases", json={"actions": list(actions)})


def to(alias, collection):
    return {"action": "set", "alias": alias, "collection": collection}


def away(alias):
    return {"action": "delete", "alias": alias}


def aliases(client):
    listed = AliasList.model_validate(client.get("/v1/aliases").json())
    return {one.alias: one.collection for one in listed.aliases}


@pytest.fixture
def emus(client, fake_config):
    """The server of `client` with a second collection, `emus`, and the alias `live` of `birds`."""
    assert client.put("/v1/collections/emus", json=fake_config).status_code == 201
    body = {"id": "e", "text": "An emu of the other collection."}
    assert client.put("/v1/collections/emus/documents/e", json=body).status_code == 201
    assert change(client, to("live", "birds")).status_code == 200
    return client


def test_an_alias_is_part_of_the_names_of_models(emus):
    listed = {one["id"] for one in emus.get("/v1/models").json()["data"]}
    assert {"rag:live", "rag:live:extractive", "rag:birds"} <= listed
    for name in ("rag:live", "rag:live:extractive", "live/dense"):
        assert emus.get(f"/v1/models/{name}").status_code == 200
    assert emus.get("/info", params={"model": "live/dense"}).json()["model_id"] == "live/dense"
    vectors = [
        emus.post("/v1/embeddings", json={"model": f"{name}/dense", "input": "emu"}).json()["data"]
        for name in ("live", "birds")
    ]
    assert vectors[0] == vectors[1]
    for name in ("live/none", "none/dense"):
        refused = emus.post("/v1/embeddings", json={"model": name, "input": "emu"})
        assert refused.status_code == 404
    assert change(emus, away("live")).status_code == 200
    assert emus.get("/v1/models/rag:live").status_code == 404


def ids(client, name):
    found = client.post(f"/v1/collections/{name}/search", json={"query": "emu", "limit": 10})
    assert found.status_code == 200, found.text
    return {hit["id"] for hit in found.json()["hits"]}


def test_an_alias_works_in_every_interface(emus):
    assert ids(emus, "live") == {"kiwi", "emu", "swift"}
    base = "/v1/collections/live"
    assert emus.get(base).json()["name"] == "birds"
    assert emus.get(f"{base}/documents/kiwi").status_code == 200
    assert emus.put(f"{base}/documents/new", json={"id": "new", "text": "t"}).status_code == 201
    lines = b'{"id": "d1", "text": "one"}\n'
    bulk = emus.post(
        f"{base}/documents/bulk",
        content=lines,
        headers={"content-type": "application/x-ndjson", "idempotency-key": "k"},
    )
    assert bulk.status_code == 200
    assert emus.get("/v1/collections/birds/documents/d1").status_code == 200
    deleted = emus.post(f"{base}/documents/delete", json={"ids": ["d1", "new"]})
    assert deleted.json()["deleted"] == 2
    answer = emus.post(f"{base}/answer", json={"question": "Which bird cannot fly?"})
    assert answer.json()["outcome"] == "answered"
    chat = {"model": "rag:live", "messages": [{"role": "user", "content": "Which bird runs?"}]}
    assert emus.post("/v1/chat/completions", json=chat).status_code == 200
    batch = emus.post(f"{base}/search/batch", json={"requests": [{"query": "emu"}]})
    assert batch.status_code == 200
    job = emus.post(f"{base}/merge")
    assert job.json()["collection"] == "birds"
    for page in ("/?collection=live&query=emu", "/ask?collection=live"):
        shown = emus.get(page, headers={"accept": "text/html"})
        assert shown.status_code == 200
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "search", "arguments": {"query": "emu", "collection": "live"}},
    }
    accept = {"accept": "application/json, text/event-stream"}
    reply = emus.post("/mcp", json=call, headers=accept)
    assert "kiwi" in reply.text


def test_aliases_move_and_swap_in_one_request(emus):
    assert change(emus, to("old", "emus")).status_code == 200
    assert change(emus, to("live", "emus"), to("old", "birds")).status_code == 200
    assert aliases(emus) == {"live": "emus", "old": "birds"}
    assert ids(emus, "live") == {"e"}
    assert emus.delete("/v1/aliases/old").status_code == 204
    assert aliases(emus) == {"live": "emus"}


def test_an_invalid_action_changes_nothing(emus, problem):
    cases = [
        ([to("a", "emus"), to("b", "nothing")], 404, "not_found"),
        ([to("a", "emus"), away("nothing")], 404, "not_found"),
        ([to("a", "emus"), to("birds", "emus")], 409, "conflict"),
        ([to("a", "emus"), to("a", "birds")], 422, "invalid"),
        ([to("a", "emus"), to("x/y", "birds")], 422, "invalid"),
        ([to("a", "emus"), to("b", "live")], 404, "not_found"),
        ([{"action": "set", "alias": "a"}], 422, "invalid"),
        ([{**to("a", "emus"), "action": "delete"}], 422, "invalid"),
        ([], 422, "invalid"),
    ]
    for actions, status, code in cases:
        problem(change(emus, *actions), status, code)
        assert aliases(emus) == {"live": "birds"}
    problem(emus.delete("/v1/aliases/nothing"), 404, "not_found")


def test_names_of_collections_and_aliases_never_clash(emus, fake_config, problem):
    found = problem(emus.put("/v1/collections/live", json=fake_config), 409, "conflict")
    assert "is an alias of the collection 'birds'" in found.detail
    found = problem(emus.delete("/v1/collections/birds"), 409, "conflict")
    assert "has the alias 'live'" in found.detail
    found = problem(emus.delete("/v1/collections/live"), 409, "conflict")
    assert "is an alias" in found.detail
    assert emus.delete("/v1/aliases/live").status_code == 204
    assert emus.delete("/v1/collections/birds").status_code == 204


def test_aliases_survive_a_restart_and_are_seen_by_other_processes(emus, tmp_path, serve):
    other = Aliases(tmp_path)
    assert dict(other.all()) == {"live": "birds"}
    change(emus, to("live", "emus"))
    assert other.resolve("live") == "emus"
    assert aliases(serve(tmp_path)) == {"live": "emus"}


def test_a_request_keeps_the_collection_that_it_began_with(emus, tmp_path):
    names = Aliases(tmp_path)

    async def request(begun, go_on):
        pin()
        first = names.resolve("live")
        begun.set()
        await go_on.wait()
        return first, names.resolve("live")

    async def run():
        begun, go_on = asyncio.Event(), asyncio.Event()
        running = asyncio.create_task(request(begun, go_on))
        await begun.wait()
        names.change([("live", "emus")], lambda *_: None)
        go_on.set()
        return await running, names.resolve("live")

    assert asyncio.run(run()) == (("birds", "birds"), "emus")


def test_a_damaged_file_of_aliases_is_named(emus, tmp_path, problem):
    path = tmp_path / ".twindex" / FILE
    path.write_bytes(path.read_bytes().replace(b"birds", b"emus", 1))
    with pytest.raises(CorruptFileError, match="set the aliases"):
        Aliases(tmp_path).all()
    problem(emus.get("/v1/aliases"), 503, "corrupt")


def test_searches_never_fail_while_an_alias_moves(emus):
    stop, failures, seen = threading.Event(), [], set()

    def search():
        while not stop.is_set():
            found = emus.post("/v1/collections/live/search", json={"query": "emu"})
            if found.status_code != 200:
                failures.append(found.text)
                return
            seen.add(frozenset(hit["id"] for hit in found.json()["hits"]))

    thread = threading.Thread(target=search)
    thread.start()
    for number in range(40):
        assert change(emus, to("live", ("emus", "birds")[number % 2])).status_code == 200
        time.sleep(0.005)
    stop.set()
    thread.join()
    assert failures == []
    assert seen == {frozenset({"e"}), frozenset({"kiwi", "emu", "swift"})}


def _swap(root: Path, log: int) -> None:
    names, number = Aliases(root), 0
    while True:
        new = f"c{number}"
        os.write(log, f"{new}\n".encode())
        names.change([("a", new), ("b", new)], lambda *_: None)
        os.write(log, b"done\n")
        number += 1


@pytest.mark.parametrize("kills", [10, pytest.param(200, marks=pytest.mark.slow)])
def test_kill_9_leaves_the_aliases_before_or_after_a_change(tmp_path, kills):
    random_ = random.Random(1)
    acknowledged = None
    for _ in range(kills):
        read, write = os.pipe()
        child = os.fork()
        if child == 0:  # pragma: no cover - another process
            try:
                _swap(tmp_path, write)
            finally:
                os._exit(1)
        os.close(write)
        time.sleep(random_.uniform(0.0, 0.05))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(read) as pipe:
            lines = pipe.read().split()
        begun = lines[-1] if lines and lines[-1] != "done" else None
        done = [name for name, after in pairwise(lines) if after == "done"]
        acknowledged = done[-1] if done else acknowledged
        found = dict(Aliases(tmp_path).all())
        assert found.get("a") == found.get("b")
        assert found.get("a") in {acknowledged, begun}
        acknowledged = found.get("a")


def test_a_read_only_root_refuses_changes(as_nobody, reachable):
    (reachable / "birds").mkdir()

    def work():
        with pytest.raises(ConflictError, match="read-only"):
            Aliases(reachable).change([("a", "birds")], lambda *_: None)

    as_nobody(work)
    assert not (reachable / ".twindex").exists()
