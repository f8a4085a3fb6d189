"""Reports records that cannot be used."""

from __future__ import annotations

from collections.abc import Callable

from ..core import SourceError

OnError = Callable[[SourceError], None]


def report(error: SourceError, on_error: OnError | None) -> None:
    """Pass the error to `on_error`, so that reading continues. Raise it if `on_error` is None."""
    if on_error is None:
        raise error
    on_error(error)
