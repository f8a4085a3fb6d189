"""Encodes the queries of concurrent searches together.

A model encodes eight short queries in little more than the time of two. So while a batch runs,
further queries wait, and the next batch has all of them, as a database commits transactions in
groups. A query that finds no batch running is encoded at once: nobody waits for others to come.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from threading import Event, Lock
from time import perf_counter

from ...core import Representation
from .lending import lent
from .query_cache import as_cache_hit, copy_row
from .usage import usage_share

DEFAULT_MOST = 16
_POLL_SECONDS = 0.05
"""Time between two calls of `check` of a search that waits."""

Encode = Callable[[Sequence[str]], Representation]


@dataclass(slots=True)
class Batching:
    """The limit of the batches of this process.

    most: maximum number of queries in a batch; 1: each query is encoded alone.
    """

    most: int = DEFAULT_MOST


BATCHING = Batching()


@dataclass(slots=True, eq=False)
class _Query:
    """A query that is encoded in a batch.

    woken:   set once the query is encoded, or is to be encoded by its own thread.
    leads:   True if its thread encodes the next batch.
    found:   the encoded query; None if the batch failed.
    seconds: the query's part of the time of its batch.
    """

    text: str
    leads: bool = False
    woken: Event = field(default_factory=Event)
    found: Representation | None = None
    seconds: float = 0.0


class QueryBatches:
    """The queries of one encoder. Thread-safe.

    The thread of a query encodes the batch; there is no other thread. When its batch is done, it
    wakes the oldest query that waits, whose thread encodes the next batch. Meanwhile these threads
    lend their places in a pool, so that further queries can come.

    encode: encodes texts, one row for each. It is called by one thread at a time, unless `most`
            queries wait already: then a further query is encoded alone.
    """

    def __init__(self, encode: Encode, batching: Batching = BATCHING) -> None:
        self._encode = encode
        self._batching = batching
        self._lock = Lock()
        self._running = False
        self._waiting: deque[_Query] = deque()

    def encode(self, text: str, check: Callable[[], None]) -> Representation:
        """Return the encoded query: one row. Raises the errors of the encoder for this query.

        check: called every 50 ms while the query waits. Its exception ends the call.
        """
        if self._batching.most == 1:
            return self._encode([text])
        with self._lock:
            own = _Query(text, leads=not self._running)
            if not own.leads and len(self._waiting) < self._batching.most - 1:
                self._waiting.append(own)
            elif not own.leads:
                own.woken.set()
            self._running = True
        if not own.woken.is_set():
            with lent() as spend:
                if not own.leads:
                    self._wait(own, check)
                if own.leads:
                    self._lead(own)
                spend(own.seconds)
        # The errors of a batch are errors of one of its queries.
        return self._encode([text]) if own.found is None else own.found

    def _wait(self, own: _Query, check: Callable[[], None]) -> None:
        """Wait until a query is woken."""
        try:
            while not own.woken.wait(_POLL_SECONDS):
                check()
        except BaseException:
            with self._lock:
                if own in self._waiting:
                    self._waiting.remove(own)
            if own.leads:
                self._pass_on()
            raise

    def _lead(self, own: _Query) -> None:
        """Encode a query and all that wait, and wake them."""
        with self._lock:
            batch = [own, *self._waiting]
            self._waiting.clear()
        began = perf_counter()
        try:
            self._encode_batch(batch)
        except Exception:
            if len(batch) == 1:
                raise
        finally:
            seconds = (perf_counter() - began) / len(batch)
            for query in batch:
                query.seconds = seconds
                query.woken.set()
            self._pass_on()

    def _encode_batch(self, batch: Sequence[_Query]) -> None:
        """Encode the queries of a batch. Equal texts are encoded once, and count once."""
        texts = list(dict.fromkeys(query.text for query in batch))
        found = self._encode(texts)
        if len(texts) == 1:
            rows = {texts[0]: found}
        else:
            shares = [usage_share(found.usage, i, len(texts)) for i in range(len(texts))]
            rows = {
                text: replace(copy_row(found.at(i)), usage=shares[i])
                for i, text in enumerate(texts)
            }
        for query in batch:
            query.found = rows[query.text]
            rows[query.text] = as_cache_hit(query.found)

    def _pass_on(self) -> None:
        """Let the oldest query that waits encode the next batch."""
        with self._lock:
            following = self._waiting.popleft() if self._waiting else None
            self._running = following is not None
            if following is not None:
                following.leads = True
                following.woken.set()
