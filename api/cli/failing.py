"""Failures of models. They are not mistakes of the user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ...core import InvalidInputError, ModelError, TwindexError, UnsupportedError


class CommandFailed(TwindexError):  # noqa: N818 - a failure, not a mistake
    """A command failed for a reason other than its arguments. Its exit status is 1."""


@contextmanager
def models_run() -> Iterator[None]:
    """Return a context manager. A model that fails in its block raises CommandFailed.

    Load the models before the block, because a model that cannot be loaded is a wrong argument. A
    model that lacks a capability is a wrong argument too: the block raises its UnsupportedError.
    """
    try:
        yield
    except (InvalidInputError, UnsupportedError):
        raise
    except ModelError as error:
        raise CommandFailed(str(error)) from error
