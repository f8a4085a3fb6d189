"""Adds up the usage of language models, and divides it among the texts of a batch."""

from __future__ import annotations

from dataclasses import fields
from threading import Lock

from ...core import Usage, add_usages


class SpentUsage:
    """A sum of usages. Thread-safe.

    total: the sum; None before the first usage.
    """

    def __init__(self) -> None:
        self.total: Usage | None = None
        self._lock = Lock()

    def add(self, usage: Usage | None) -> None:
        """Add a usage to the sum."""
        with self._lock:
            self.total = add_usages(self.total, usage)


def usage_share(usage: Usage | None, part: int, parts: int) -> Usage | None:
    """Return the share of one text in the usage of a batch; None if `usage` is None.

    usage: usage of the whole batch.
    part:  position of the text in the batch, from 0.
    parts: number of texts in the batch.

    The shares are equal, except for integer fields that `parts` does not divide: there, each of the
    first texts gets 1 more. The shares of all texts add up to `usage`.
    """
    if usage is None:
        return None
    values = [getattr(usage, field.name) for field in fields(usage)]
    return Usage(
        *(
            value // parts + (part < value % parts) if isinstance(value, int) else value / parts
            for value in values
        )
    )
