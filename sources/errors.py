"""What happens to a record that cannot be used."""

from __future__ import annotations

from collections.abc import Callable

from ..core import SourceError

OnError = Callable[[SourceError], None]


def report(error: SourceError, on_error: OnError | None) -> None:
    """Hand the error over so that reading can go on, or raise it when nobody takes it."""
    if on_error is None:
        raise error
    on_error(error)
