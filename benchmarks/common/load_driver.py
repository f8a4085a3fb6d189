"""Sends requests to a server on loopback and measures them. `load.py` runs it in a process.

Reads one JSON object from stdin and writes one to stdout. A request is bytes that are written to a
connection as they are, so that a request costs the driver 30 to 60 microseconds.

    port:     port of the server on 127.0.0.1.
    requests: texts of complete HTTP requests, sent in turn.
    seconds:  time to send for. `skip`: seconds at the start that are not counted.
    clients:  number of clients; each sends its next request when the last one was answered.
    rate:     requests a second instead, whether or not the server answers (an open loop). `clients`
              is then the maximum number of connections; a request that finds none waits for one.
    wait:     seconds that a client waits after a refusal (429 or 503) before its next request.

The time of a request runs from the moment when it was due until the last byte of its reply.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import Counter, deque
from itertools import cycle
from time import perf_counter
from typing import Any

TICK = 0.001
"""Seconds between two looks at the clock of an open loop."""
REFUSED = (429, 503)


class Load:
    """One measurement: what is due, what was answered."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given
        self.requests = cycle([text.encode() for text in given["requests"]])
        self.statuses: Counter[int] = Counter()
        self.times: dict[str, list[float]] = {"ok": [], "refused": []}
        self.broken = 0
        self.begun = perf_counter()
        self.counted = self.begun + given.get("skip", 0.0)
        self.end = self.counted + given["seconds"]
        self.due: deque[float] = deque()
        self.free: list[Client] = []
        self.late = 0
        """Requests of an open loop that were never sent, because no connection was free."""

    def answered(self, client: Client, status: int, due: float) -> None:
        now = perf_counter()
        if self.counted <= now <= self.end:
            self.statuses[status] += 1
            self.times["refused" if status in REFUSED else "ok"].append(now - due)
        if now >= self.end:
            return
        if self.given.get("rate"):
            if self.due:
                client.send(self.due.popleft())
            else:
                self.free.append(client)
        elif status in REFUSED and self.given.get("wait"):
            asyncio.get_running_loop().call_later(
                self.given["wait"], lambda: client.send(perf_counter())
            )
        else:
            client.send(now)


class Client(asyncio.Protocol):
    """One connection. It has at most one request under way."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.transport: Any = None
        self.buffer = b""
        self.due = 0.0
        self.waiting = False
        """Whether a request is under way: the server closes connections that are idle."""
        self.opening: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def send(self, due: float) -> None:
        self.due = due
        self.waiting = True
        if self.transport is None or self.transport.is_closing():
            self.opening = asyncio.ensure_future(self.reconnect())
        else:
            self.transport.write(next(self.load.requests))

    async def reconnect(self) -> None:
        try:
            await connect(self.load, self)
        except OSError:
            self.load.broken += 1
            await asyncio.sleep(0.05)
        self.send(self.due)

    def data_received(self, data: bytes) -> None:
        buffer = self.buffer = self.buffer + data if self.buffer else data
        head = buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        lower = buffer[:head].lower()
        at = lower.find(b"content-length:") + 15
        stop = lower.find(b"\r", at)
        length = int(lower[at : stop if stop > 0 else head])
        if len(buffer) >= head + 4 + length:
            self.buffer = b""
            self.waiting = False
            if b"connection: close" in lower:
                self.transport.close()
                self.transport = None
            self.load.answered(self, int(buffer[9:12]), self.due)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.transport is not None:  # Not after a reply that announced it.
            self.transport = None
            if self.waiting and perf_counter() < self.load.end:
                self.load.broken += 1
                self.send(self.due)


async def connect(load: Load, client: Client) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: client, "127.0.0.1", load.given["port"])


async def run(given: dict[str, Any]) -> dict[str, Any]:
    load = Load(given)
    clients = [Client(load) for _ in range(given["clients"])]
    for client in clients:
        await connect(load, client)
    load.begun = perf_counter()
    load.counted = load.begun + given.get("skip", 0.0)
    load.end = load.counted + given["seconds"]
    if rate := given.get("rate"):
        load.free = clients
        chance = random.Random(given.get("seed", 0))
        at = load.begun
        while (now := perf_counter()) < load.end:
            while at <= now:
                if load.free:
                    load.free.pop().send(at)
                else:
                    load.due.append(at)
                at += chance.expovariate(rate)
            await asyncio.sleep(TICK)
        load.late = len(load.due)
    else:
        for client in clients:
            client.send(perf_counter())
        await asyncio.sleep(load.end - perf_counter())
    return {
        "seconds": given["seconds"],
        "statuses": {str(status): count for status, count in load.statuses.items()},
        "broken": load.broken,
        "unsent": load.late,
        "ok": spread(load.times["ok"], given["seconds"]),
        "refused": spread(load.times["refused"], given["seconds"]),
    }


def spread(times: list[float], seconds: float) -> dict[str, float]:
    """Return the number a second, and percentiles and the maximum in milliseconds."""
    found = sorted(times)
    figures = {"per_second": round(len(found) / seconds, 1)}
    for share in (50, 95, 99):
        at = min(len(found) - 1, len(found) * share // 100)
        figures[f"p{share}_ms"] = round(found[at] * 1e3, 2) if found else 0.0
    figures["max_ms"] = round(found[-1] * 1e3, 2) if found else 0.0
    return figures


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(json.load(sys.stdin)))))
