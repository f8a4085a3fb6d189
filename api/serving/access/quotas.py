"""The limits of each key: requests in a minute, requests at the same time, time of models.

A request counts in the limits of its key, and in those of the keys that created it. So keys that a
key creates share its limits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Lock

from ..problems import Problem
from .access import Access, Budget, Limits
from .buckets import TokenBucket

MINUTE = 60 * 10**9
"""Window of the limits, in nanoseconds."""

Headers = list[tuple[bytes, bytes]]

_UNIT = 1_000
"""Tokens of model time in a second."""


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left of a limit.

    most:    the limit in a minute.
    left:    the number left, at least 0.
    seconds: seconds until everything is left again.
    """

    most: int
    left: int
    seconds: int


def headers_of(rests: Sequence[Mapping[str, Rest]]) -> Headers:
    """Return the headers of a reply, of each limit the one of which least is left.

    They are those of draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy` has the quota `q`
    of each window of `w` seconds, and `RateLimit` has the rest `r` of the quota, and the number of
    seconds `t` until it is whole again.
    """
    least: dict[str, Rest] = {}
    for each in rests:
        for name, one in each.items():
            if name not in least or one.left < least[name].left:
                least[name] = one
    if not least:
        return []
    window = MINUTE // 10**9
    policy = ", ".join(f'"{name}";q={one.most};w={window}' for name, one in least.items())
    rest = ", ".join(f'"{name}";r={one.left};t={one.seconds}' for name, one in least.items())
    return [(b"ratelimit-policy", policy.encode()), (b"ratelimit", rest.encode())]


class Ticket:
    """One admitted request. `headers` are the fields of its reply; `close` ends it.

    quotas: what its key has used, and the keys that created it.
    """

    def __init__(self, quotas: Sequence[Quota] = ()) -> None:
        self._quotas = quotas

    def headers(self) -> Headers:
        """Return the headers that say how much is left of each limit."""
        return headers_of([quota.rests() for quota in self._quotas])

    def spend(self, seconds: float) -> None:
        """Count the time that a language model worked for the request. Thread-safe."""
        for quota in self._quotas:
            quota.spend(seconds)

    def close(self) -> None:
        """End the request."""
        quotas, self._quotas = self._quotas, ()
        for quota in quotas:
            quota.leave()


class Quota:
    """What one key has used. Thread-safe."""

    def __init__(self, limits: Limits, clock: Callable[[], int]) -> None:
        self.limits = limits
        self._clock = clock
        self._lock = Lock()
        self._running = 0
        self._buckets: dict[str, TokenBucket] = {}
        if limits.requests is not None:
            self._buckets["requests"] = TokenBucket(limits.requests, MINUTE)
        if limits.model_seconds is not None:
            most = max(1, round(limits.model_seconds * _UNIT))
            self._buckets["model-ms"] = TokenBucket(most, MINUTE)

    def _held(self) -> AbstractContextManager[object]:
        """Return a context in which no other thread uses this quota."""
        return self._lock

    def enter(self, key: str = "this key") -> None:
        """Admit a request. key: the key with these limits, in the words of an error.

        Raises Problem 429, with `Retry-After`, if a limit is reached.
        """
        with self._held():
            now = self._clock()
            if self.limits.concurrent is not None and self._running >= self.limits.concurrent:
                raise self._refused(f"{self._running} requests of {key} are running", 1, now)
            model = self._buckets.get("model-ms")
            if model is not None and (wait := model.wait(now)):
                most = f"{self.limits.model_seconds:g} seconds"
                detail = f"language models may work {most} a minute for {key}"
                raise self._refused(detail, _seconds(wait), now)
            requests = self._buckets.get("requests")
            if requests is not None and not requests.take(now):
                detail = f"{key} may send {requests.most} requests a minute"
                raise self._refused(detail, _seconds(requests.wait(now)), now)
            self._running += 1

    def withdraw(self) -> None:
        """Forget a request that was admitted here, because another quota refused it."""
        with self._held():
            self._running -= 1
            if (requests := self._buckets.get("requests")) is not None:
                requests.give(self._clock())

    def leave(self) -> None:
        """End a request that was admitted."""
        with self._held():
            self._running -= 1

    def spend(self, seconds: float) -> None:
        """Count the time of a language model."""
        model = self._buckets.get("model-ms")
        if model is not None and seconds > 0:
            with self._held():
                model.spend(self._clock(), round(seconds * _UNIT))

    def rests(self) -> dict[str, Rest]:
        """Return what is left of each limit in a minute."""
        if not self._buckets:
            return {}
        with self._held():
            return self._rests(self._clock())

    def _rests(self, now: int) -> dict[str, Rest]:
        return {
            name: Rest(one.most, max(0, one.left(now)), _seconds(one.wait(now, one.most)))
            for name, one in self._buckets.items()
        }

    def _refused(self, detail: str, seconds: int, now: int) -> Problem:
        headers = {n.decode(): value.decode() for n, value in headers_of([self._rests(now)])}
        detail = f"{detail}; try again in {seconds} second{'' if seconds == 1 else 's'}"
        return Problem(429, detail, headers={**headers, "Retry-After": str(seconds)})


class Quotas:
    """The quota of each key.

    clock: nanoseconds on a clock that never goes back, and that all processes share.
    make:  makes a quota of a key, its limits and the clock; None: a quota of this process.
    most:  number of quotas to keep, of which the longest unused is dropped; None: all. Only quotas
           whose numbers `make` finds again may be dropped.
    """

    def __init__(
        self,
        clock: Callable[[], int] = time.monotonic_ns,
        make: Callable[[str, Limits, Callable[[], int]], Quota] | None = None,
        most: int | None = None,
    ) -> None:
        self._clock = clock
        self._most = most
        self._make = make or (lambda _, limits, clock: Quota(limits, clock))
        self._quotas: dict[str, Quota] = {}

    def enter(self, access: Access) -> Ticket:
        """Admit a request of a key, and count it in the limits of the keys that created it, too.

        Raises Problem 429 if a limit is reached. The request then counts nowhere.
        """
        entered: list[Quota] = []
        try:
            for budget in access.budgets:
                quota = self._quota(budget)
                own = budget.key == access.key
                quota.enter("this key" if own else f"the key {budget.key}, which created this one,")
                entered.append(quota)
        except Problem:
            for quota in entered:
                quota.withdraw()
            raise
        return Ticket(entered)

    def _quota(self, budget: Budget) -> Quota:
        quota = self._quotas.pop(budget.key, None)
        if quota is None or quota.limits != budget.limits:
            quota = self._make(budget.key, budget.limits, self._clock)
        self._quotas[budget.key] = quota  # The latest used is last.
        if self._most is not None and len(self._quotas) > self._most:
            del self._quotas[next(iter(self._quotas))]
        return quota


def _seconds(nanoseconds: int) -> int:
    """Return whole seconds, rounded up."""
    return -(-nanoseconds // 10**9)
