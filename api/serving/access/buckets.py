"""A token bucket, in whole numbers, so that no rounding adds up."""

from __future__ import annotations


class TokenBucket:
    """At most `most` tokens, of which `most` come back in each window, evenly. It begins full.

    Times are in nanoseconds on a clock that never goes back. The content is kept in units of
    1 / window tokens: in each nanosecond, `most` units come back. It has no lock.

    most:   size of the bucket in tokens, at least 1.
    window: length of the window in nanoseconds.
    """

    def __init__(self, most: int, window: int) -> None:
        self.most = most
        self.window = window
        self._full = most * window
        self._units = self._full
        self._at = 0

    def take(self, now: int, tokens: int = 1) -> bool:
        """Take tokens. Return False, and take none, if there are too few."""
        self._refill(now)
        wanted = tokens * self.window
        if self._units < wanted:
            return False
        self._units -= wanted
        return True

    def spend(self, now: int, tokens: int) -> None:
        """Take tokens even if there are too few. The content may become negative."""
        self._refill(now)
        self._units -= tokens * self.window

    def give(self, now: int, tokens: int = 1) -> None:
        """Return tokens that were taken."""
        self._refill(now)
        self._units = min(self._full, self._units + tokens * self.window)

    def left(self, now: int) -> int:
        """Return the number of whole tokens; negative if too many were spent."""
        self._refill(now)
        return self._units // self.window

    def wait(self, now: int, tokens: int = 1) -> int:
        """Return the number of nanoseconds until there are `tokens` tokens; 0: there are now."""
        self._refill(now)
        return max(0, -(-(tokens * self.window - self._units) // self.most))

    def state(self) -> tuple[int, int]:
        """Return the units that are missing, and the time: (0, 0) at the beginning."""
        return self._full - self._units, self._at

    def load(self, missing: int, at: int) -> None:
        """Return to a state that `state` returned, perhaps that of another process."""
        self._units, self._at = self._full - missing, at

    def _refill(self, now: int) -> None:
        if now > self._at:
            self._units = min(self._full, self._units + (now - self._at) * self.most)
            self._at = now
