"""kill -9 at random moments while clients write, delete, search and administer.

After each pair of kills, the jobs finish, and an order of all operations must explain every reply
and what is stored: no acknowledged write is lost, no deletion is undone, nothing is done twice.
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Iterable
from itertools import count
from pathlib import Path

import httpx2 as httpx
import pytest

from twindex.index import LocalStore, check_snapshot, open_target

from .conftest import LEGS
from .forked import Parent
from .history import ABSENT, Op, linearizable
from .mixed_load import ALIAS, IDS, History, Visitor, read, read_alias
from .requests import texts

TRUE_REASONS = {
    "reembed": re.compile("neither confirmed nor rolled back|another process re-embeds it"),
    "restore": re.compile("there is no snapshot"),
    "reconfigure": re.compile("there is no leg"),
}
"""Kind of job -> why it may fail: requests of other clients made it impossible."""


def test_the_checker_detects_violations():
    write = Op("write", "a", 0, 1)
    assert linearizable(ABSENT, [write, Op("read", "a", 2, 3)])
    assert not linearizable(ABSENT, [write, Op("read", ABSENT, 2, 3)])
    assert linearizable(ABSENT, [write, Op("read", ABSENT, 0.5, 3)])
    newer = Op("write", "b", 2, 3)
    assert not linearizable(ABSENT, [write, newer, Op("read", "a", 4, 5)])
    assert not linearizable(ABSENT, [write, Op("write", ABSENT, 2, 3, existed=False)])
    lost = Op("write", "c", 2, 6.5, optional=True)
    for value in ("a", "c"):
        assert linearizable(ABSENT, [write, lost, Op("read", value, 4, 5)])
    # An operation takes effect at most once, and not after its end.
    late = [write, lost, Op("read", "a", 10, 11), Op("read", "c", 12, 13)]
    assert not linearizable(ABSENT, late)
    twice = [lost, Op("write", "d", 5, 6), Op("read", "d", 7, 8), Op("read", "c", 14, 15)]
    assert not linearizable(ABSENT, twice)


class Trial:
    """A server that is killed repeatedly, and what its clients know.

    least: number of writes that must be acknowledged before the first kill of a round.
    """

    def __init__(self, folder: Path, seed: int, least: int = 0) -> None:
        self._root, self._backups = folder / "data", folder / "backups"
        self._root.mkdir()
        self._parent = Parent(folder / "log")
        self._random = random.Random(seed)
        self._least = least
        self._history = History(count())
        self._state = {**dict.fromkeys(IDS, ABSENT), ALIAS: "birds"}
        self._address = ""
        self.figures = dict.fromkeys(
            ("kills", "writes", "deletions", "jobs", "interrupted_jobs", "lost", "undone"), 0
        )

    def run(self, rounds: Iterable[int]) -> None:
        """Kill the server twice in each round."""
        try:
            self._start()
            with self._client() as client:
                config = {"legs": LEGS, "storage": {"seal_passages": 48, "max_segments": 3}}
                for name in ("birds", "emus"):
                    assert client.put(f"/v1/collections/{name}", json=config).status_code == 201
                action = {"action": "set", "alias": "live", "collection": "birds"}
                reply = client.post("/v1/aliases", json={"actions": [action]})
                assert reply.status_code == 200
            for number in rounds:
                self._round(self._random.uniform(0.1, 0.8))
                if number % 25 == 0:
                    print(self.figures, flush=True)
            self._parent.end()
            self._check_files()
        finally:
            self._parent.close()

    def _start(self) -> None:
        options = ("--snapshots", str(self._backups), "--snapshots-keep", "3")
        self._address = self._parent.start(self._root, *options, "--log-level", "warning")

    def _client(self) -> httpx.Client:
        return httpx.Client(base_url=self._address, timeout=60, trust_env=False)

    def _round(self, seconds: float) -> None:
        """Kill the server under load, and again while it continues its jobs. Then check."""
        for clients in (4, 2):
            visitors = [
                Visitor(self._address, self._history, self._random.random()) for _ in range(clients)
            ]
            threads = [threading.Thread(target=visitor.work) for visitor in visitors]
            for thread in threads:
                thread.start()
            time.sleep(seconds)
            if clients == 4:
                self._wait_for_writes()
            self._parent.end()
            self.figures["kills"] += 1
            killed = time.monotonic()
            for thread in threads:
                thread.join()
            self._history.killed(killed)
            self._start()
        self._settle()

    def _wait_for_writes(self) -> None:
        """Wait until `least` writes are acknowledged, which takes a while on a busy machine."""
        for _ in range(3_000):
            ops = [op for each in list(self._history.ops.values()) for op in list(each)]
            if sum(op.kind == "write" and not op.optional for op in ops) >= self._least:
                return
            time.sleep(0.01)

    def _settle(self) -> None:
        """Wait for the jobs. Compare what is stored with the history of each value."""
        history = self._history
        assert history.failures == []
        with self._client() as client:
            self._finish_jobs(client)
            for name in IDS:
                history.note(name, read(client, name))
            history.note(ALIAS, read_alias(client))
            self._remove_copies(client)
        for name, ops in history.ops.items():
            for op in ops:
                if op.kind == "write" and not op.optional:
                    self.figures["deletions" if op.value == ABSENT else "writes"] += 1
            found = ops[-1].value
            if not linearizable(self._state[name], ops):
                latest = max((op for op in ops if not op.optional), key=lambda op: op.end)
                undone = latest.value == ABSENT != found
                self.figures["undone" if undone else "lost"] += 1
                print(name, self._state[name], ops)
            self._state[name] = found
        history.ops = {}

    def _finish_jobs(self, client: httpx.Client) -> None:
        for attempt in range(6_000):
            jobs = client.get("/v1/jobs").json()["jobs"]
            now = time.monotonic()
            going = [job for job in jobs if job["state"] not in ("done", "failed")]
            self.figures["interrupted_jobs"] += len(going) if attempt == 0 else 0
            for job in jobs:
                if job["state"] == "failed":
                    assert TRUE_REASONS[job["kind"]].search(job["error"]), job
                elif job["state"] == "done":
                    for op in self._history.queued.pop(job["id"], []):
                        op.end = now
            if not going:
                break
            time.sleep(0.01)
        self.figures["jobs"] = max(self.figures["jobs"], len(jobs))
        assert not self._history.queued, "a job was acknowledged and is gone"

    def _remove_copies(self, client: httpx.Client) -> None:
        """Check that restored collections have only what was once written, and delete them."""
        for name in self._history.copies:
            if client.get(f"/v1/collections/{name}").status_code == 200:
                for document, text in texts(client, name).items():
                    assert text in self._history.written[document]
                assert LocalStore.verify(self._root / name) == []
                assert client.delete(f"/v1/collections/{name}").status_code == 204
        self._history.copies = []

    def _check_files(self) -> None:
        for name in ("birds", "emus"):
            assert LocalStore.verify(self._root / name) == []
        hidden = {path.name for path in self._root.iterdir()} - {"birds", "emus", ".twindex"}
        assert hidden <= {".reembed-birds", ".reembed-birds.lock"}
        target = open_target(self._backups / "birds")
        for name in target.names():
            assert check_snapshot(target, name) == []
        assert "Traceback" not in self._parent.log.read_text()


def test_kills_lose_and_repeat_nothing(tmp_path):
    trial = Trial(tmp_path, 11, least=21)
    trial.run([1])
    assert trial.figures["writes"] > 20
    assert (trial.figures["lost"], trial.figures["undone"]) == (0, 0)


@pytest.mark.slow
@pytest.mark.trials(500)
@pytest.mark.timeout(10_000)
def test_many_kills_lose_and_repeat_nothing(tmp_path, trials, record_property):
    """Two kills in each trial."""
    trial = Trial(tmp_path, 12, least=8)
    try:
        trial.run(trials)
    finally:
        for name, value in trial.figures.items():
            record_property(name, value)
        print(trial.figures)
    assert (trial.figures["lost"], trial.figures["undone"]) == (0, 0)
