"""A queue that is fair to tenants: by the time that their calls used, not by their number."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """Items that wait, in one line for each tenant. Not thread-safe.

    `pop` takes the oldest item of the tenant that has used the least time (fair queueing in virtual
    time; Demers, Keshav and Shenker 1989). A tenant that begins to wait again is treated as if it
    had used as much time as the least of those that wait. So nobody saves up time. Time that a
    tenant uses while nothing waits is taken from nobody, and does not count.
    """

    def __init__(self) -> None:
        self._lines: dict[str, OrderedDict[T, None]] = {}
        self._used: dict[str, float] = {}
        self._now = 0.0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def tenants(self) -> int:
        """Number of tenants that wait."""
        return len(self._lines)

    def waiting(self, tenant: str) -> int:
        """Return the number of a tenant's items."""
        line = self._lines.get(tenant)
        return 0 if line is None else len(line)

    def push(self, tenant: str, item: T) -> None:
        """Put an item at the end of its tenant's line. Items must be hashable and distinct."""
        line = self._lines.get(tenant)
        if line is None:
            line = self._lines[tenant] = OrderedDict()
            self._used[tenant] = max(self._used.get(tenant, 0.0), self._now)
        line[item] = None
        self._count += 1

    def pop(self) -> tuple[str, T] | None:
        """Take the next item and return it with its tenant. None: nothing waits."""
        if not self._lines:
            return None
        tenant = next(iter(self._lines))
        if len(self._lines) > 1:
            tenant = min(self._lines, key=self._used.__getitem__)
        self._now = max(self._now, self._used[tenant])
        item, _ = self._lines[tenant].popitem(last=False)
        self._taken(tenant)
        return tenant, item

    def charge(self, tenant: str, seconds: float) -> None:
        """Add time that a call of the tenant used. A negative time corrects an earlier one."""
        used = self._used[tenant] = self._used.get(tenant, self._now) + seconds
        if not self._lines:
            self._now = max(self._now, used)
        if len(self._used) > 2 * len(self._lines) + 64:  # Forget tenants that owe nothing.
            self._used = {
                name: used
                for name, used in self._used.items()
                if name in self._lines or used > self._now
            }

    def remove(self, tenant: str, item: T) -> bool:
        """Take an item out of its line. Return False if it does not wait."""
        line = self._lines.get(tenant)
        if line is None or item not in line:
            return False
        del line[item]
        self._taken(tenant)
        return True

    def longest(self) -> str | None:
        """Return the tenant with the most items; None if nothing waits."""
        if not self._lines:
            return None
        return max(self._lines, key=lambda tenant: len(self._lines[tenant]))

    def drop(self, tenant: str) -> T:
        """Take the newest item of a tenant that waits, and return it."""
        item, _ = self._lines[tenant].popitem()
        self._taken(tenant)
        return item

    def _taken(self, tenant: str) -> None:
        self._count -= 1
        if not self._lines[tenant]:
            del self._lines[tenant]
