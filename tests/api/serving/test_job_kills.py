"""kill -9 at any moment while jobs, writes, merges and reconfigurations run: linearizable by id."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

import httpx2 as httpx
import pytest

BIRDS = "/v1/collections/birds"
IDS = [f"d{n}" for n in range(24)]
ABSENT = "absent"
NDJSON = {"content-type": "application/x-ndjson"}


@dataclass(slots=True)
class Op:
    """One operation on one id. value: written or read; ABSENT: deleted or not found.

    existed:  True if the document existed before, as the reply says; None if it does not say.
    end:      time of the reply; for a lost reply, the time after which it cannot take effect.
    optional: the operation may have had no effect.
    queued:   a job runs the operation, and survives the server.
    """

    kind: str
    value: str
    start: float
    end: float = inf
    existed: bool | None = None
    optional: bool = False
    queued: bool = False


def linearizable(initial: str, ops: list[Op]) -> bool:
    """Return True if an order of the operations, within real time, explains every reply."""
    seen: set[tuple[int, str]] = set()

    def advance(done: int, state: str, latest: float) -> bool:
        left = [i for i in range(len(ops)) if not done >> i & 1]
        if all(ops[i].optional for i in left):
            return True
        if (done, state) in seen:
            return False
        seen.add((done, state))
        bound = min(ops[i].end for i in left if not ops[i].optional)
        for i in left:
            op = ops[i]
            if op.start > bound or op.end < latest:
                continue
            if op.kind == "read" and op.value != state:
                continue
            if op.existed is not None and op.existed != (state != ABSENT):
                continue
            after = state if op.kind == "read" else op.value
            if advance(done | 1 << i, after, max(latest, op.start)):
                return True
        return False

    return advance(0, initial, -inf)


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


ZYGOTE = """
import os, sys
from twindex.api.cli.main import main
import twindex.api.http.app, twindex.api.http.server, uvicorn
print("ready", flush=True)
for line in sys.stdin:
    root, port = line.split()
    child = os.fork()
    if child == 0:
        os.close(0)
        os._exit(main(["serve", root, "--port", port]))
    print(child, flush=True)
    os.waitpid(child, 0)
    print("ended", flush=True)
"""
"""Program that starts servers by forking, so that a restart needs no imports."""


@dataclass
class Trial:
    """A server that is killed repeatedly, and the history of its documents."""

    root: Path
    random: random.Random
    values: Iterator[int]
    state: dict[str, str] = field(default_factory=lambda: dict.fromkeys(IDS, ABSENT))
    ops: dict[str, list[Op]] = field(default_factory=dict)
    jobs: dict[str, list[Op]] = field(default_factory=dict)
    least: int = 0
    acknowledged: int = 0
    checks: int = 0
    kills: int = 0
    unfinished: int = 0
    failures: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lock = threading.Lock()
        self.server: int | None = None
        with (self.root / ".log").open("wb") as log:
            self.zygote = subprocess.Popen(
                [sys.executable, "-c", ZYGOTE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
        assert self._line() == "ready"

    def _line(self) -> str:
        line = self.zygote.stdout.readline().strip()
        assert line, (self.root / ".log").read_text()
        return line

    def start(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.zygote.stdin.write(f"{self.root} {port}\n")
        self.zygote.stdin.flush()
        self.server = int(self._line())
        self.url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=self.url) as client:
            for _ in range(3_000):
                try:
                    if client.get("/readyz").status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                time.sleep(0.01)
        raise AssertionError((self.root / ".log").read_text())

    def kill(self) -> None:
        os.kill(self.server, signal.SIGKILL)
        self.kills += 1
        self.server = None
        assert self._line() == "ended"

    def close(self) -> None:
        if self.server is not None:
            os.kill(self.server, signal.SIGKILL)
        self.zygote.stdin.close()
        self.zygote.wait(30)
        self.zygote.stdout.close()

    def value(self) -> str:
        with self.lock:
            return f"v{next(self.values)}"

    def begin(self, values: dict[str, str], *, queued: bool = False) -> dict[str, Op]:
        now = time.monotonic()
        ops = {
            name: Op("write", value, now, optional=True, queued=queued)
            for name, value in values.items()
        }
        with self.lock:
            for name, op in ops.items():
                self.ops.setdefault(name, []).append(op)
        return ops

    def work(self, seed: int) -> None:
        """Send requests until the server is killed."""
        dice = random.Random(seed)
        with httpx.Client(base_url=self.url, timeout=30) as client:
            while True:
                try:
                    self.request(client, dice)
                except httpx.TransportError:
                    return

    def request(self, client: httpx.Client, dice: random.Random) -> None:
        chosen = dice.random()
        name = dice.choice(IDS)
        path = f"{BIRDS}/documents/{name}"
        if chosen < 0.3:
            op = self.begin({name: self.value()})[name]
            reply = client.put(path, json={"text": op.value})
            assert reply.status_code in (200, 201), reply.text
            self.end([op], reply.status_code == 200)
        elif chosen < 0.5:
            op = self.begin({name: ABSENT})[name]
            reply = client.delete(path)
            assert reply.status_code in (204, 404), reply.text
            self.end([op], reply.status_code == 204)
        elif chosen < 0.7:
            op = Op("read", "", time.monotonic())
            reply = client.get(path)
            assert reply.status_code in (200, 404), reply.text
            op.end = time.monotonic()
            op.value = reply.json()["text"] if reply.status_code == 200 else ABSENT
            with self.lock:
                self.ops.setdefault(name, []).append(op)
        elif chosen < 0.8:
            path, body = f"{BIRDS}/merge", None
            if dice.random() < 0.5:
                codec = dice.choice(["float16", "int8"])
                path, body = f"{BIRDS}/reconfigure", {"legs": {"dense": {"codec": {"kind": codec}}}}
            reply = client.post(path, json=body)
            assert reply.status_code == 202, reply.text
        else:
            values = {name: self.value() for name in dice.sample(IDS, dice.randint(1, len(IDS)))}
            lines = "".join(json.dumps({"id": n, "text": v}) + "\n" for n, v in values.items())
            job = chosen < 0.84
            ops = self.begin(values, queued=job)
            query = {"async": "true"} if job else {}
            reply = client.post(
                f"{BIRDS}/documents/bulk", content=lines, headers=NDJSON, params=query
            )
            assert reply.status_code == (202 if job else 200), reply.text
            if job:  # The job must take effect before it is done.
                with self.lock:
                    self.jobs[reply.json()["id"]] = list(ops.values())
                for op in ops.values():
                    op.optional = False
            else:
                self.end(list(ops.values()), None)

    def end(self, ops: list[Op], existed: bool | None) -> None:
        now = time.monotonic()
        for op in ops:
            op.end, op.existed, op.optional = now, existed, False

    def round(self, seconds: float) -> None:
        """Send requests, kill, restart, send requests during jobs, wait for the jobs, check."""
        for kill in (True, False):
            if kill:
                seeds = [self.random.random() for _ in range(4)]
            workers = [threading.Thread(target=self._guarded, args=(seed,)) for seed in seeds]
            for worker in workers:
                worker.start()
            time.sleep(seconds)
            if kill:
                self._wait_for_writes()
            self.kill()
            killed = time.monotonic()
            for worker in workers:
                worker.join()
            for ops in self.ops.values():
                for op in ops:
                    if op.optional and not op.queued:
                        op.end = min(op.end, killed)
            self.start()
            seeds = [self.random.random() for _ in range(2)]
        self.settle()

    def _wait_for_writes(self) -> None:
        """Wait until `least` writes of this round are acknowledged, which takes a while if busy."""
        for _ in range(3_000):
            ops = [op for each in list(self.ops.values()) for op in list(each)]
            if sum(op.kind == "write" and not op.optional for op in ops) >= self.least:
                return
            time.sleep(0.01)

    def _guarded(self, seed: float) -> None:
        try:
            self.work(seed)
        except (AssertionError, httpx.HTTPError, ValueError) as error:
            self.failures.append(error)

    def settle(self) -> None:
        assert self.failures == []
        with httpx.Client(base_url=self.url, timeout=30) as client:
            for attempt in range(3_000):
                jobs = client.get("/v1/jobs").json()["jobs"]
                now = time.monotonic()
                open_ones = [job for job in jobs if job["state"] not in ("done", "failed")]
                self.unfinished += len(open_ones) if attempt == 0 else 0
                for job in jobs:
                    assert job["state"] != "failed", job
                    if job["state"] == "done":
                        for op in self.jobs.pop(job["id"], []):
                            op.end = now
                if not open_ones:
                    break
                time.sleep(0.02)
            assert not self.jobs, "a job was acknowledged and is gone"
            found = {}
            for name in IDS:
                began = time.monotonic()
                reply = client.get(f"{BIRDS}/documents/{name}")
                found[name] = reply.json()["text"] if reply.status_code == 200 else ABSENT
                op = Op("read", found[name], began, time.monotonic())
                self.ops.setdefault(name, []).append(op)
        assert self.failures == []
        for name, ops in self.ops.items():
            self.acknowledged += sum(op.kind == "write" and not op.optional for op in ops)
            self.checks += 1
            assert linearizable(self.state[name], ops), (name, self.state[name], ops)
        self.state, self.ops = found, {}


def run(root: Path, kills: int, seed: int, fake_config: dict, least: int = 0) -> Trial:
    from itertools import count

    trial = Trial(root, random.Random(seed), count(), least=least)
    try:
        trial.start()
        config = {
            "legs": {name: fake_config["legs"][name] for name in ("dense", "lexical")},
            "storage": {"seal_passages": 64},
        }
        with httpx.Client(base_url=trial.url, timeout=30) as client:
            assert client.put(BIRDS, json=config).status_code == 201
        while trial.kills < kills:
            trial.round(trial.random.uniform(0.1, 0.8))
        trial.kill()
    finally:
        trial.close()
    from twindex.search import Collection

    with Collection.open(root / "birds") as collection:
        assert collection.verify() == []
    assert "Traceback" not in (root / ".log").read_text()
    return trial


def test_kills_lose_and_repeat_nothing(tmp_path, fake_config):
    trial = run(tmp_path, 2, 11, fake_config, least=21)
    assert trial.acknowledged > 20


@pytest.mark.slow
def test_500_kills_lose_and_repeat_nothing(tmp_path, fake_config):
    trial = run(tmp_path, 500, 12, fake_config)
    print(trial.kills, trial.acknowledged, trial.checks, trial.unfinished)
