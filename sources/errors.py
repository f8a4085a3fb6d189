"""Reports invalid records of input files."""

from __future__ import annotations

from collections.abc import Callable

from ..core import SourceError

OnError = Callable[[SourceError], None]


def report(error: SourceError, on_error: OnError | None) -> None:
    """Pass an error to the function `on_error`, so that reading continues after it.

    If `on_error` is None, raise the error.
    """
    if on_error is None:
        raise error
    on_error(error)
