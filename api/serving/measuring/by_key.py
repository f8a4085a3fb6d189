"""Counts of requests by the id of their key, with a bounded number of keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

MOST = 100
"""Maximum number of keys that are counted by themselves, in the order of their first request."""
OTHER = "other"
"""Label of all further keys."""


class KeyCounts:
    """Number of requests by key and by kind of status, such as "4xx". For the event loop only."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, ...]] = Counter()
        self._keys: set[str] = set()

    def count(self, key: str, status: int) -> None:
        """Count a request. key: id of its key; "" for a request without a valid key."""
        if not key:
            return
        if key not in self._keys:
            if len(self._keys) < MOST:
                self._keys.add(key)
            else:
                key = OTHER
        self._counts[key, f"{status // 100}xx"] += 1

    def read(self) -> Mapping[tuple[str, ...], float]:
        """Return (key, kind of status) -> number of requests."""
        return {labels: float(count) for labels, count in self._counts.copy().items()}
