"""The limits of each key: requests in a minute, requests at the same time, time of models."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Lock

from ..problems import Problem
from .access import Access, Limits
from .buckets import TokenBucket

MINUTE = 60 * 10**9
"""Window of the limits, in nanoseconds."""

Headers = list[tuple[bytes, bytes]]

_UNIT = 1_000
"""Tokens of model time in a second."""


class Ticket:
    """One admitted request. `headers` are the fields of its reply; `close` ends it."""

    def __init__(self, quota: Quota | None) -> None:
        self._quota = quota

    def headers(self) -> Headers:
        """Return the headers that say how much is left of each limit."""
        return [] if self._quota is None else self._quota.headers()

    def spend(self, seconds: float) -> None:
        """Count the time that a language model worked for the request. Thread-safe."""
        if self._quota is not None:
            self._quota.spend(seconds)

    def close(self) -> None:
        """End the request."""
        quota, self._quota = self._quota, None
        if quota is not None:
            quota.leave()


class Quota:
    """What one key has used. Thread-safe.

    The headers are those of draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy` has the
    quota `q` of each window of `w` seconds, and `RateLimit` has the rest `r` of the quota, and the
    number of seconds `t` until it is whole again.
    """

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

    def enter(self) -> Ticket:
        """Admit a request. Raises Problem 429, with `Retry-After`, if a limit is reached."""
        with self._held():
            now = self._clock()
            if self.limits.concurrent is not None and self._running >= self.limits.concurrent:
                raise self._refused(f"{self._running} requests of this key are running", 1, now)
            model = self._buckets.get("model-ms")
            if model is not None and (wait := model.wait(now)):
                most = f"{self.limits.model_seconds:g} seconds"
                detail = f"language models may work {most} a minute for this key"
                raise self._refused(detail, _seconds(wait), now)
            requests = self._buckets.get("requests")
            if requests is not None and not requests.take(now):
                detail = f"this key may send {requests.most} requests a minute"
                raise self._refused(detail, _seconds(requests.wait(now)), now)
            self._running += 1
            return Ticket(self)

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

    def headers(self) -> Headers:
        """Return the headers for a reply."""
        with self._held():
            return self._headers(self._clock())

    def _headers(self, now: int) -> Headers:
        if not self._buckets:
            return []
        window = MINUTE // 10**9
        policy = ", ".join(f'"{n}";q={b.most};w={window}' for n, b in self._buckets.items())
        rest = ", ".join(
            f'"{n}";r={max(0, b.left(now))};t={_seconds(b.wait(now, b.most))}'
            for n, b in self._buckets.items()
        )
        return [(b"ratelimit-policy", policy.encode()), (b"ratelimit", rest.encode())]

    def _refused(self, detail: str, seconds: int, now: int) -> Problem:
        headers = {name.decode(): value.decode() for name, value in self._headers(now)}
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
        """Admit a request of a key. Raises Problem 429 if a limit of the key is reached."""
        if access.limits == Limits():
            return Ticket(None)
        quota = self._quotas.pop(access.key, None)
        if quota is None or quota.limits != access.limits:
            quota = self._make(access.key, access.limits, self._clock)
        self._quotas[access.key] = quota  # The latest used is last.
        if self._most is not None and len(self._quotas) > self._most:
            del self._quotas[next(iter(self._quotas))]
        return quota.enter()


def _seconds(nanoseconds: int) -> int:
    """Return whole seconds, rounded up."""
    return -(-nanoseconds // 10**9)
