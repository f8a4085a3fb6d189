"""Requests that a pool let in, and that have not called the pool yet.

Hundreds of requests can arrive in one turn of the event loop, before the first of them calls the
pool. Each takes its place in the queue when it arrives, or all would find the same free one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Set
from contextvars import ContextVar
from dataclasses import dataclass


class Arrivals:
    """The requests that will call a pool. Not thread-safe."""

    def __init__(self) -> None:
        self.count = 0
        self._of: Counter[str] = Counter()

    @property
    def tenants(self) -> Set[str]:
        """The tenants of the requests."""
        return self._of.keys()

    def of(self, tenant: str) -> int:
        """Return the number of requests of a tenant."""
        return self._of[tenant]

    def add(self, tenant: str) -> Arriving:
        """Add a request, and return it."""
        self.count += 1
        self._of[tenant] += 1
        return Arriving(self, tenant)

    def remove(self, arriving: Arriving) -> None:
        """Remove a request that has called the pool, or has ended. Later calls do nothing."""
        if not arriving.here:
            return
        arriving.here = False
        self.count -= 1
        self._of[arriving.tenant] -= 1
        if not self._of[arriving.tenant]:
            del self._of[arriving.tenant]


@dataclass(slots=True, eq=False)
class Arriving:
    """A request that will call a pool. here: False once it has called the pool, or has ended."""

    arrivals: Arrivals
    tenant: str
    here: bool = True


ARRIVING: ContextVar[Arriving | None] = ContextVar("twindex_arriving", default=None)
"""The place that a pool keeps for the request that the current task answers."""
