"""Threads for work that must not block the event loop, with a bounded queue."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from threading import Event, Lock, local
from time import perf_counter
from typing import Any, ParamSpec, TypeVar
from weakref import ref

from ....core.trace.spans import in_context
from ....search.encoding.lending import Spend, set_lend
from ..problems import Problem
from .arrivals import ARRIVING, Arrivals, Arriving
from .call import Call, Stage
from .fair import FairQueue

P = ParamSpec("P")
T = TypeVar("T")

TENANT: ContextVar[str] = ContextVar("twindex_tenant", default="")
"""Tenant of the request that the current task answers; empty if the server has no tenants."""

ALWAYS = 32
"""Number of calls that may wait, however long that takes, unless `queue` is smaller.

A few clients that each wait for their reply are therefore never refused.
"""

_WEIGHT = 0.05
"""Weight of the latest call in the mean time of a call."""
_LONGEST = 30
"""Maximum value of `Retry-After`, in seconds."""


class _Away(local):
    """Seconds for which the current call lent its thread's place."""

    seconds = 0.0


class Pool:
    """A pool of threads with a queue that is bounded in number and in time, and fair to tenants.

    Of the calls that wait, that of the tenant runs next whose calls have used the least time. The
    number of calls that may wait is `seconds` * threads / mean time of a call, at least ALWAYS and
    at most `queue`. When as many wait, a further call is refused, unless its tenant has fewer calls
    waiting than another: then the latest call of the tenant with the most is refused instead.

    A call that was cancelled while it ran still counts until its thread ends. A call whose query is
    encoded in a batch lends its place: then one more call runs. Afterwards it gets the next place
    that is free.

    name:    name of the pool, for threads and metrics.
    threads: maximum number of calls that run at once.
    queue:   maximum number of further calls that wait.
    seconds: expected wait beyond which calls are refused; see above.
    """

    def __init__(self, name: str, threads: int, queue: int, seconds: float = math.inf) -> None:
        self.name = name
        self.threads = threads
        self.queue = queue
        self.seconds = seconds
        self.refused = 0
        """Number of calls that were refused because too many waited."""
        # Calls that lend their places keep their threads. There are never more than let in.
        self._executor = ThreadPoolExecutor(
            threads + 2 * queue + ALWAYS, thread_name_prefix=f"twindex-{name}"
        )
        self._lock = Lock()
        self._line: FairQueue[Call] = FairQueue()
        self._arrivals = Arrivals()
        self._running = 0
        self._lent = 0
        self._returning: deque[Event] = deque()
        self._away = _Away()
        self._mean = 0.0
        self._closed = False

    @property
    def waiting(self) -> int:
        """Number of calls that wait for a thread."""
        return len(self._line)

    @property
    def running(self) -> int:
        """Number of threads that run a call."""
        return self._running

    @property
    def active(self) -> int:
        """Number of calls that run, wait, or lend their places."""
        return self._running + self._lent + len(self._line)

    @property
    def most(self) -> int:
        """Number of calls that may wait now."""
        if math.isinf(self.seconds) or self.queue <= ALWAYS:
            return self.queue
        in_time = self.seconds * self.threads / max(self._mean, 1e-9)
        return int(min(self.queue, max(ALWAYS, in_time)))

    @property
    def wait(self) -> float:
        """Expected seconds until the calls that wait now have begun."""
        return len(self._line) * self._mean / self.threads

    def is_full(self, more: int = 0) -> bool:
        """Return True if some calls would be refused now. more: number of calls to come."""
        return self.active + self._arrivals.count + more >= self.threads + self.most

    def refuses(self, tenant: str, more: int = 0) -> bool:
        """Return True if a call of this tenant would be refused after `more` calls of anybody."""
        if not self.is_full(more):
            return False
        with self._lock:
            return self._refuses(tenant, more)

    def arrive(self, tenant: str) -> Arriving:
        """Keep a place for a call of this tenant. Raises Problem 429 if it would be refused now."""
        with self._lock:
            if self._refuses(tenant):
                raise self.refusal()
            return self._arrivals.add(tenant)

    def left(self, arriving: Arriving) -> None:
        """Free the place of a request that has ended. It may have called the pool."""
        with self._lock:
            self._arrivals.remove(arriving)

    def _refuses(self, tenant: str, more: int = 0) -> bool:
        if not self.is_full(more):
            return False

        def wait(name: str) -> int:
            return self._line.waiting(name) + self._arrivals.of(name)

        others = {*self._arrivals.tenants, self._line.longest()} - {None, tenant}
        longest = max((wait(name) for name in others if name is not None), default=0)
        return wait(tenant) + 1 >= longest

    def refusal(self) -> Problem:
        """Return the Problem 429 for a call that is refused now, and count it."""
        self.refused += 1
        seconds = min(_LONGEST, max(1, math.ceil(self.wait)))
        return Problem(
            429,
            f"{self.active} requests are running or waiting; try again in {seconds} s",
            headers={"Retry-After": str(seconds)},
        )

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(...)` in a thread and return its result.

        Raises Problem 429 if too many calls wait already. If the caller is cancelled, a call that
        waits is dropped, and a call that runs continues.
        """
        # No variable names the future: its exception would refer to this frame, and so to itself.
        return await asyncio.wrap_future(self._submit(partial(work, *args, **kwargs)))

    def _submit(self, work: Callable[[], T]) -> Future[T]:
        """Run `work` in a thread, or let it wait for one. Raises Problem 429 as `run` does."""
        tenant, future, dropped = TENANT.get(), Future[T](), None
        call, arriving = Call(in_context(work), future), ARRIVING.get()
        with self._lock:
            if arriving is not None and arriving.arrivals is self._arrivals:
                self._arrivals.remove(arriving)
            if self._refuses(tenant):
                raise self.refusal()
            begins = self._running < self.threads
            if begins:  # Then no call waits.
                self._running += 1
            else:
                dropped = self._drop() if len(self._line) >= self.most else None
                self._line.push(tenant, call)
        if dropped is not None:
            dropped.set_exception(self.refusal())
        if begins:
            self._begin(tenant, call)
        else:
            # A future keeps its callbacks. One with the call itself would be a cycle, and garbage
            # collections that stop every thread would have to free each request.
            future.add_done_callback(partial(self._forget, tenant, ref(call)))
        return future

    def _begin(self, tenant: str, call: Call) -> None:
        """Run a call in another thread. The call has its place."""
        following: tuple[str, Call] | None = (tenant, call)
        while following is not None:
            tenant, call = following
            try:
                self._executor.submit(self._work, tenant, call)
                return
            except RuntimeError as error:  # The pool is closed, or no more threads can be started.
                with self._lock:
                    if not call.take(Stage.DROPPED):
                        return  # A thread that was free has taken it.
                    following = self._give_up()
                if self._closed:
                    call.future.cancel()
                elif call.future.set_running_or_notify_cancel():
                    call.future.set_exception(_no_thread(error))

    def _give_up(self) -> tuple[str, Call] | None:
        """Give up the place of a call that no thread runs.

        Returns a call that gets the place, if no other thread would ever take those that wait.
        """
        if self._returning or self._running + self._lent == 1:
            return self._next()
        self._running -= 1
        return None

    def _drop(self) -> Future[Any] | None:
        """Take the latest call of the tenant with the most calls out of the queue."""
        longest = self._line.longest()
        if longest is None:
            return None
        future = self._line.drop(longest).future
        return future if future.set_running_or_notify_cancel() else None

    def _forget(self, tenant: str, waiting: ref[Call], future: Future[Any]) -> None:
        """Take a call that was cancelled while it waited out of the queue."""
        if future.cancelled() and (call := waiting()) is not None:
            with self._lock:
                self._line.remove(tenant, call)

    def _work(self, tenant: str, call: Call) -> None:
        """Run a call, and then others until none waits. The method runs in a thread."""
        charged = self._mean
        with self._lock:
            if not call.take(Stage.BEGUN):
                return
            self._line.charge(tenant, charged)
        set_lend(self._lend)
        while True:
            self._away.seconds = 0.0
            used, deliver = call.perform()
            used = max(0.0, used - self._away.seconds)
            del call  # A thread that waits must not keep the result of its last call.
            with self._lock:
                if used:
                    self._mean += (used - self._mean) * (_WEIGHT if self._mean else 1.0)
                self._line.charge(tenant, used - charged)
                found = self._next()
                if found is not None:
                    found[1].take(Stage.BEGUN)
                    charged = self._mean
                    self._line.charge(found[0], charged)
            deliver()  # After the thread counts as free: its caller may call again at once.
            del deliver
            if found is None:
                return
            tenant, call = found
            del found

    def _next(self) -> tuple[str, Call] | None:
        """Give a place to a call that returns, else to one that waits, which is returned."""
        if self._returning:
            self._returning.popleft().set()
            return None
        found = self._line.pop()
        if found is None:
            self._running -= 1
        return found

    @contextmanager
    def _lend(self) -> Iterator[Spend]:
        """Lend the place of the call in the current thread; see `lent`."""
        began = perf_counter()
        with self._lock:
            self._lent += 1
            found = self._next()
        if found is not None:
            self._begin(*found)
        spent: list[float] = []
        try:
            yield spent.append
        finally:
            turn = None
            with self._lock:
                self._lent -= 1
                if self._running < self.threads:
                    self._running += 1
                else:
                    turn = Event()
                    self._returning.append(turn)
            if turn is not None:
                turn.wait()
            self._away.seconds += perf_counter() - began - sum(spent)

    def close(self) -> None:
        """Wait for the calls that run, and drop the calls that wait."""
        dropped = []
        with self._lock:
            self._closed = True
            while (found := self._line.pop()) is not None:
                dropped.append(found[1].future)
        for future in dropped:  # Without the lock, which `_forget` takes.
            future.cancel()
        self._executor.shutdown(wait=True, cancel_futures=True)


def _no_thread(error: RuntimeError) -> Problem:
    return Problem(
        503,
        f"the system starts no further thread ({error}); raise its limit of processes for this "
        "service, or set fewer `threads`",
        headers={"Retry-After": "1"},
    )
