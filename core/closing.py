"""Closes objects that hold resources at the end of a `with` block, and closes iterators."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self


class Closing:
    """Base class of context managers. The end of a `with` block calls `close`."""

    def close(self) -> None:
        """Release all resources. The end of a `with` block calls this method once."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def close_iterator(iterator: Iterator[Any]) -> None:
    """Close an iterator if it has a method `close`, as generators have.

    The code of a generator then ends at once, with its `finally` blocks.
    """
    close = getattr(iterator, "close", None)
    if close is not None:
        close()
