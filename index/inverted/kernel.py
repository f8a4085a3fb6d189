"""The decorator of every compiled function here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., object])


def kernel(function: F) -> F:
    """Compile at the first call for the types it has then, keep the code on disk, free the GIL.

    Where numba finds no folder that it may write to, every process compiles for itself, which
    takes seconds; NUMBA_CACHE_DIR can name a folder.
    """
    try:
        return cast(F, njit(cache=True, nogil=True)(function))
    except RuntimeError:
        return cast(F, njit(nogil=True)(function))
