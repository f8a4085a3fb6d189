"""The decorator of the compiled functions here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ..compiling import compiled

F = TypeVar("F", bound=Callable[..., object])

ANY_ORDER = {"reassoc", "contract", "nsz"}
"""What sums need to be made 16 at a time; infinities and NaN keep their meaning."""


def summing(function: F) -> F:
    """See `compiled`. Sums may be added up in any order: otherwise no inner product could use the
    wide registers."""
    return compiled(function, fastmath=ANY_ORDER)
