"""A server that is killed before any file operation of a step completes or repeats the step.

Each step runs in a server process. A shim (`tests/durability/shim.c`) kills the process before the
n-th operation that changes the disk: a write, a sync, a rename or another one. Then a server starts
on the same folder.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import httpx2 as httpx
import pytest

from twindex.index import LocalStore, check_snapshot, open_target

from ...durability.shim import CHANGES, KILL, NEVER
from .conftest import CONFIG, DOCUMENTS, Watched
from .requests import BIRDS, NDJSON, finished, texts

BEFORE = {name: text for name, text in DOCUMENTS.items() if name != "d7"}
NEW = {f"n{n}": f"new bird {n}" for n in range(30)}
INT8 = {"kind": "int8"}
SPARSER = {"legs": {"dense": None}}


@dataclass(frozen=True)
class Step:
    """A step of a server.

    run:   sends the requests of the step, and waits until it has finished. It notes each
           acknowledged change in the dictionary that it gets.
    check: compares the state after the restart, from the dictionary and a client. It completes what
           a client has to repeat.
    """

    run: Callable[[httpx.Client, dict[str, str]], None]
    check: Callable[[httpx.Client, dict[str, str], Path], None]


def _bulk(client: httpx.Client, done: dict[str, str]) -> None:
    lines = "\n".join(json.dumps({"id": name, "text": text}) for name, text in NEW.items())
    query = {"async": "true"}
    queued = client.post(f"{BIRDS}/documents/bulk", content=lines, headers=NDJSON, params=query)
    done["job"] = queued.json()["id"]
    finished(client, queued)


def _after_bulk(client: httpx.Client, done: dict[str, str], root: Path) -> None:
    found = texts(client)
    assert found in ([BEFORE | NEW] if "job" in done else [BEFORE, BEFORE | NEW])


def _writes(client: httpx.Client, done: dict[str, str]) -> None:
    """More writes than the delta may hold, so the server seals."""
    for name, text in NEW.items():
        done["begun"] = name
        assert client.put(f"{BIRDS}/documents/{name}", json={"text": text}).status_code == 201
        done[name] = text
        done["begun"] = ""
    time.sleep(0.1)


def _after_writes(client: httpx.Client, done: dict[str, str], root: Path) -> None:
    begun = done.pop("begun", "")
    found = texts(client)
    if begun in found:
        assert found.pop(begun) == NEW[begun]
    assert found == BEFORE | done


def _deletions(client: httpx.Client, done: dict[str, str]) -> None:
    for name in [f"d{n}" for n in range(20, 50)]:
        done["begun"] = name
        assert client.delete(f"{BIRDS}/documents/{name}").status_code == 204
        done[name] = ""
        done["begun"] = ""
    finished(client, client.post(f"{BIRDS}/merge"))


def _after_deletions(client: httpx.Client, done: dict[str, str], root: Path) -> None:
    begun = done.pop("begun", "")
    expected = {name: text for name, text in BEFORE.items() if name not in done}
    found = texts(client)
    if begun not in found:
        expected.pop(begun, None)
    assert found == expected


def _job(path: str, body: object = None) -> Callable[[httpx.Client, dict[str, str]], None]:
    def run(client: httpx.Client, done: dict[str, str]) -> None:
        queued = client.post(path, json=body)
        done["job"] = queued.json()["id"]
        done["result"] = json.dumps(finished(client, queued)["result"])

    return run


def _same(client: httpx.Client, done: dict[str, str], root: Path) -> None:
    assert texts(client) == BEFORE


def _after_reconfigure(client: httpx.Client, done: dict[str, str], root: Path) -> None:
    _same(client, done, root)
    codec = client.get(BIRDS).json()["config"]["legs"]["dense"]["codec"] or {"kind": None}
    assert codec["kind"] in (["int8"] if "job" in done else ["int8", None])


def _after_snapshot(client: httpx.Client, done: dict[str, str], root: Path) -> None:
    _same(client, done, root)
    listed = client.get(f"{BIRDS}/snapshots").json()["snapshots"]
    assert len(listed) == 2 or ("job" not in done and listed)
    target = open_target(root / "backups" / "birds")
    for one in listed:
        assert check_snapshot(target, one["name"]) == []
    if "job" in done:
        assert client.get(f"/v1/jobs/{done['job']}").json()["result"]["name"] == listed[-1]["name"]
    finished(client, client.post(f"{BIRDS}/snapshots"))
    assert len(list((root / "backups" / "birds").iterdir())) == 2, "a killed snapshot left files"


def _after_restore(client: httpx.Client, done: dict[str, str], root: Path) -> None:
    if "job" in done:
        assert texts(client, "copy") == BEFORE
        assert LocalStore.verify(root / "data" / "copy") == []
    else:
        finished(client, client.post("/v1/collections/other/restore", json={"collection": "birds"}))


def _after_reembed(client: httpx.Client, done: dict[str, str], root: Path) -> None:
    _same(client, done, root)
    legs = set(client.get(BIRDS).json()["config"]["legs"])
    assert legs == {"lexical"} or ("job" not in done and "dense" in legs)
    changed = client.post(f"{BIRDS}/reembed/confirm").json()["changed"]
    assert changed == (legs == {"lexical"})


def _confirmation(which: str) -> Callable[[httpx.Client, dict[str, str]], None]:
    def run(client: httpx.Client, done: dict[str, str]) -> None:
        assert client.post(f"{BIRDS}/reembed/{which}").json() == {"changed": True}
        done["done"] = which

    return run


def _after_confirm(client: httpx.Client, done: dict[str, str], root: Path) -> None:
    client.post(f"{BIRDS}/reembed/confirm")
    assert set(client.get(BIRDS).json()["config"]["legs"]) == {"lexical"}
    assert texts(client) == BEFORE | {"d1": "bird written since"}


def _after_roll_back(client: httpx.Client, done: dict[str, str], root: Path) -> None:
    legs = set(client.get(BIRDS).json()["config"]["legs"])
    if legs == {"lexical"}:
        assert "done" not in done
        assert texts(client) == BEFORE | {"d1": "bird written since"}
        assert client.post(f"{BIRDS}/reembed/roll-back").json() == {"changed": True}
    _same(client, done, root)
    # What was written since is lost, also if the same work is done once more.
    finished(client, client.post(f"{BIRDS}/reembed", json=SPARSER))
    _same(client, done, root)
    assert client.post(f"{BIRDS}/reembed/confirm").json() == {"changed": True}


def _alias(client: httpx.Client, done: dict[str, str]) -> None:
    actions = [
        {"action": "set", "alias": alias, "collection": "emus"} for alias in ("live", "next")
    ]
    assert client.post("/v1/aliases", json={"actions": actions}).status_code == 200
    done["done"] = "yes"


def _after_alias(client: httpx.Client, done: dict[str, str], root: Path) -> None:
    after = [("live", "emus"), ("next", "emus")]
    listed = client.get("/v1/aliases").json()["aliases"]
    found = [(one["alias"], one["collection"]) for one in listed]
    assert found in ([after] if "done" in done else [[("live", "birds")], after])


def _creation(client: httpx.Client, done: dict[str, str]) -> None:
    assert client.put("/v1/collections/new", json=CONFIG).status_code == 201
    done["done"] = "yes"


def _after_creation(client: httpx.Client, done: dict[str, str], root: Path) -> None:
    if "done" in done:
        assert texts(client, "new") == {}
    assert client.put("/v1/collections/new", json=CONFIG).status_code in (200, 201)
    assert client.put("/v1/collections/new/documents/a", json={"text": "a"}).status_code == 201


def _removal(client: httpx.Client, done: dict[str, str]) -> None:
    assert client.delete("/v1/collections/emus").status_code == 204
    done["done"] = "yes"


def _after_removal(client: httpx.Client, done: dict[str, str], root: Path) -> None:
    status = client.get("/v1/collections/emus").status_code
    assert status in ((404,) if "done" in done else (200, 404))
    if status == 200:
        assert len(texts(client, "emus")) == 3


STEPS = {
    "bulk": Step(_bulk, _after_bulk),
    "seal": Step(_writes, _after_writes),
    "merge": Step(_deletions, _after_deletions),
    "reconfigure": Step(
        _job(f"{BIRDS}/reconfigure", {"legs": {"dense": {"codec": INT8}}}),
        _after_reconfigure,
    ),
    "snapshot": Step(_job(f"{BIRDS}/snapshots"), _after_snapshot),
    "restore": Step(_job("/v1/collections/copy/restore", {"collection": "birds"}), _after_restore),
    "reembed": Step(_job(f"{BIRDS}/reembed", SPARSER), _after_reembed),
    "confirm": Step(_confirmation("confirm"), _after_confirm),
    "roll-back": Step(_confirmation("roll-back"), _after_roll_back),
    "alias": Step(_alias, _after_alias),
    "create": Step(_creation, _after_creation),
    "delete": Step(_removal, _after_removal),
}
REEMBEDDED = ("confirm", "roll-back")
"""Steps that need a collection that was encoded again."""


def trial(watched: Watched, name: str, operation: int) -> int:
    """Kill the server before an operation of a step. Return the number of operations, or 0.

    0: the server was killed.
    """
    root, done = watched.fresh(), dict[str, str]()
    step = STEPS[name]
    with watched.start(root) as client:
        if name in REEMBEDDED:
            finished(client, client.post(f"{BIRDS}/reembed", json=SPARSER))
            body = {"text": "bird written since"}
            assert client.put(f"{BIRDS}/documents/d1", json=body).status_code == 200
        watched.control.fail(CHANGES, KILL, operation)
        with suppress(httpx.TransportError):
            step.run(client, done)
        total = watched.control.count(CHANGES)
    killed = total >= operation
    watched.control.clear()
    assert watched.parent.end(None if killed else signal.SIGKILL) == -signal.SIGKILL
    with watched.start(root) as client:
        for job in client.get("/v1/jobs").json()["jobs"]:
            finished(client, httpx.Response(202, json=job))
        step.check(client, done, root)
        hits = client.post(f"{BIRDS}/search", json={"query": "bird", "limit": 1_000}).json()["hits"]
        assert {hit["id"] for hit in hits} == set(texts(client))
    assert watched.parent.end() == -signal.SIGKILL
    for path in (root / "data").iterdir():
        if path.name == ".twindex":
            assert {one.name for one in path.iterdir()} <= {
                "aliases.json", "aliases.lock", "aliases.new", "collection.db", "collection.db-shm",
                "collection.db-wal", "jobs",
            }  # fmt: skip
            continue
        assert not path.name.startswith("."), f"{path.name} was left"
        assert LocalStore.verify(path) == []
    return 0 if killed else total


@pytest.mark.parametrize(("name", "operation"), [("restore", 60), ("roll-back", 30)])
def test_a_killed_step_is_completed_or_undone(watched, name, operation):
    assert trial(watched, name, operation) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", STEPS)
def test_a_step_is_killed_at_many_operations(watched, name):
    random = Random(name)
    total = trial(watched, name, NEVER)
    print(f"{name}: {total} operations")
    assert total > 3
    for operation in random.sample(range(1, total + 1), min(total, 20)):
        trial(watched, name, operation)
