"""The decorator of every compiled function here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ..compiling import compiled

F = TypeVar("F", bound=Callable[..., object])


def kernel(function: F) -> F:
    """See `compiled`."""
    return compiled(function)
