"""The decorator of the compiled functions here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., object])

ANY_ORDER = {"reassoc", "contract", "nsz"}
"""What sums need to be made 16 at a time; infinities and NaN keep their meaning."""


def summing(function: F) -> F:
    """Compile at the first call for the types it has then, keep the code on disk, free the GIL.

    Sums may be added up in any order: otherwise no inner product could use the wide registers.
    """
    try:
        return cast(F, njit(cache=True, nogil=True, fastmath=ANY_ORDER)(function))
    except RuntimeError:  # No folder to keep it in.
        return cast(F, njit(nogil=True, fastmath=ANY_ORDER)(function))
