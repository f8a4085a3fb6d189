"""Clients that write, delete, read and administer until the server is killed, and their history."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx2 as httpx

from .history import ABSENT, Op
from .requests import BIRDS, NDJSON

IDS = [f"d{n}" for n in range(24)]
ALIAS = "the alias"
"""The key of the alias among the histories, whose other keys are ids of documents."""
SHARES = {
    "put": 30,
    "delete": 20,
    "get": 18,
    "bulk": 14,
    "bulk_job": 4,
    "alias": 3,
    "read_alias": 2,
    "merge": 3,
    "reconfigure": 2,
    "snapshot": 2,
    "restore": 1,
    "reembed": 1,
    "confirm": 1,
}
"""Kind of request -> its weight."""
DENSE = {"kind": "dense", "encoder": {"kind": "dense", "model": "fake"}}


@dataclass
class History:
    """What clients did since the last check.

    ops:      id of a document, or ALIAS -> its operations.
    queued:   id of a bulk job -> its operations.
    copies:   names of the collections that are restored.
    written:  id of a document -> every text that was ever written to it.
    sent:     kind of request -> number of replies.
    failures: errors that no client may get.
    """

    values: Iterator[int]
    ops: dict[str, list[Op]] = field(default_factory=dict)
    queued: dict[str, list[Op]] = field(default_factory=dict)
    copies: list[str] = field(default_factory=list)
    written: dict[str, set[str]] = field(default_factory=dict)
    sent: Counter[str] = field(default_factory=Counter)
    failures: list[BaseException] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

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
                self.written.setdefault(name, set()).add(op.value)
        return ops

    def note(self, name: str, op: Op) -> None:
        with self.lock:
            self.ops.setdefault(name, []).append(op)

    @staticmethod
    def end(ops: list[Op], existed: bool | None) -> None:
        now = time.monotonic()
        for op in ops:
            op.end, op.existed, op.optional = now, existed, False

    def killed(self, when: float) -> None:
        """Note that requests without a reply can have no effect after the server was killed."""
        for ops in self.ops.values():
            for op in ops:
                if op.optional and not op.queued:
                    op.end = min(op.end, when)


class Visitor:
    """One client, which sends random requests until the server is gone."""

    def __init__(self, address: str, history: History, seed: float) -> None:
        self._address = address
        self._history = history
        self._dice = random.Random(seed)

    def work(self) -> None:
        kinds, weights = list(SHARES), list(SHARES.values())
        with httpx.Client(base_url=self._address, timeout=30, trust_env=False) as client:
            while True:
                (kind,) = self._dice.choices(kinds, weights)
                try:
                    getattr(self, f"_{kind}")(client)
                except httpx.TransportError:
                    return
                except (AssertionError, httpx.HTTPError, ValueError, KeyError) as error:
                    self._history.failures.append(error)
                    return
                with self._history.lock:
                    self._history.sent[kind] += 1

    def _path(self) -> tuple[str, str]:
        """Return the id of a document and its path, sometimes by the alias of the collection."""
        name = self._dice.choice(IDS)
        return name, f"{BIRDS}/documents/{name}"

    def _put(self, client: httpx.Client) -> None:
        name, path = self._path()
        op = self._history.begin({name: self._history.value()})[name]
        reply = client.put(path, json={"text": op.value})
        assert reply.status_code in (200, 201), reply.text
        self._history.end([op], reply.status_code == 200)

    def _delete(self, client: httpx.Client) -> None:
        name, path = self._path()
        op = self._history.begin({name: ABSENT})[name]
        reply = client.delete(path)
        assert reply.status_code in (204, 404), reply.text
        self._history.end([op], reply.status_code == 204)

    def _get(self, client: httpx.Client) -> None:
        name, _ = self._path()
        self._history.note(name, read(client, name))

    def _bulk(self, client: httpx.Client, *, job: bool = False) -> None:
        history, dice = self._history, self._dice
        values = {name: history.value() for name in dice.sample(IDS, dice.randint(1, len(IDS)))}
        lines = "".join(json.dumps({"id": n, "text": v}) + "\n" for n, v in values.items())
        ops = history.begin(values, queued=job)
        query = {"async": "true"} if job else {}
        reply = client.post(f"{BIRDS}/documents/bulk", content=lines, headers=NDJSON, params=query)
        assert reply.status_code == (202 if job else 200), reply.text
        if not job:
            history.end(list(ops.values()), None)
            return
        with history.lock:  # The job must take effect before it is done.
            history.queued[reply.json()["id"]] = list(ops.values())
        for op in ops.values():
            op.optional = False

    def _bulk_job(self, client: httpx.Client) -> None:
        self._bulk(client, job=True)

    def _alias(self, client: httpx.Client) -> None:
        op = self._history.begin({ALIAS: self._dice.choice(["birds", "emus"])})[ALIAS]
        action = {"action": "set", "alias": "live", "collection": op.value}
        reply = client.post("/v1/aliases", json={"actions": [action]})
        assert reply.status_code == 200, reply.text
        self._history.end([op], None)

    def _read_alias(self, client: httpx.Client) -> None:
        self._history.note(ALIAS, read_alias(client))

    def _merge(self, client: httpx.Client) -> None:
        self._accepted(client.post(f"{BIRDS}/merge"))

    def _reconfigure(self, client: httpx.Client) -> None:
        codec = self._dice.choice(["float16", "int8"])
        body = {"legs": {"dense": {"codec": {"kind": codec}}}}
        # A re-embedding may have removed the leg.
        self._accepted(client.post(f"{BIRDS}/reconfigure", json=body), 422)

    def _snapshot(self, client: httpx.Client) -> None:
        self._accepted(client.post(f"{BIRDS}/snapshots"))

    def _restore(self, client: httpx.Client) -> None:
        name = f"copy-{self._history.value()}"
        with self._history.lock:
            self._history.copies.append(name)
        body = {"collection": "birds"}
        self._accepted(client.post(f"/v1/collections/{name}/restore", json=body), 404)

    def _reembed(self, client: httpx.Client) -> None:
        leg = self._dice.choice([None, DENSE])
        self._accepted(client.post(f"{BIRDS}/reembed", json={"legs": {"dense": leg}}))

    def _confirm(self, client: httpx.Client) -> None:
        reply = client.post(f"{BIRDS}/reembed/confirm")
        assert reply.status_code in (200, 409), reply.text  # 409: a job re-embeds it now.

    @staticmethod
    def _accepted(reply: httpx.Response, *others: int) -> None:
        assert reply.status_code in (202, *others), reply.text


def read(client: httpx.Client, name: str) -> Op:
    """Read a document."""
    op = Op("read", "", time.monotonic())
    reply = client.get(f"{BIRDS}/documents/{name}")
    assert reply.status_code in (200, 404), reply.text
    op.value = reply.json()["text"] if reply.status_code == 200 else ABSENT
    op.end = time.monotonic()
    return op


def read_alias(client: httpx.Client) -> Op:
    """Read the collection of the alias."""
    op = Op("read", "", time.monotonic())
    reply = client.get("/v1/aliases")
    assert reply.status_code == 200, reply.text
    op.value = {one["alias"]: one["collection"] for one in reply.json()["aliases"]}["live"]
    op.end = time.monotonic()
    return op
