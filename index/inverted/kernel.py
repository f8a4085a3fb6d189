"""The decorator of every compiled function here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., object])


def kernel(function: F) -> F:
    """Compile at the first call for the types it has then, keep the code on disk, free the GIL."""
    return cast(F, njit(cache=True, nogil=True)(function))
