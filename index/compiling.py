"""Compiled functions. Their machine code is cached only in folders that other users cannot write.

Numba unpickles its cache files, so a user who can write them can run code in this process. The
first of these folders that is writable is used:

1. `NUMBA_CACHE_DIR`. It is not checked: whoever sets it is responsible for it.
2. `__pycache__` beside the source, as for Python's own compiled files.
3. `kernels` in the cache folder (`TWINDEX_CACHE`), if only this user can write to it.

Without a cache folder every process compiles the functions, which takes seconds. A process logs its
first compilation.
"""

from __future__ import annotations

import logging
import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar, cast

import numba
from numba import njit
from numba.core.event import Listener, register

from ..core import StorageError
from ..llm.weights.cache import CACHE, cache_folder

logger = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., object])

_LOCK = Lock()
_LOGGED = Lock()
"""Acquired by the first thread that logs a compilation, and never released."""
_CONFIG: Any = numba.config


ANY_ORDER = {"reassoc", "contract", "nsz"}
"""LLVM flags that let sums use wide registers. Infinities and NaN keep their meaning."""


def kernel(function: F) -> F:
    """Return `function` as a compiled function that releases the GIL and is cached on disk.

    It is compiled at its first call, for the argument types of that call.
    """
    return _compiled(function)


def summing(function: F) -> F:
    """Return `function` as a `kernel` whose sums may be added in any order.

    This lets inner products use wide registers.
    """
    return _compiled(function, fastmath=ANY_ORDER)


def _compiled(function: F, **options: Any) -> F:
    with _LOCK:
        _log_compilations()
        given = _CONFIG.CACHE_DIR
        if not given and not _writable(Path(function.__code__.co_filename).parent / "__pycache__"):
            own = _own_folder()
            if own is None:
                return cast(F, njit(nogil=True, **options)(function))
            _CONFIG.CACHE_DIR = str(own)
        try:
            return cast(F, njit(cache=True, nogil=True, **options)(function))
        except RuntimeError as error:  # Numba found no writable folder.
            _warn_uncached(str(error))
            return cast(F, njit(nogil=True, **options)(function))
        finally:
            _CONFIG.CACHE_DIR = given  # Other packages keep their cache folder.


@lru_cache(maxsize=64)
def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


@lru_cache(maxsize=1)
def _own_folder() -> Path | None:
    """Return this user's folder for machine code, or None if there is none."""
    try:
        return private_folder(cache_folder() / "kernels")
    except (OSError, RuntimeError, StorageError) as error:  # RuntimeError: the user has no home.
        _warn_uncached(str(error))
        return None


def _warn_uncached(reason: str) -> None:
    _log_once(
        "kernels are compiled at every start, which takes seconds: %s; set %s or NUMBA_CACHE_DIR "
        "to a folder that only this user can write",
        reason,
        CACHE,
    )


def _log_once(message: str, *values: str) -> None:
    """Log a warning about compilation. Only the first call in a process logs."""
    if _LOGGED.acquire(blocking=False):
        logger.warning(message, *values)


@lru_cache(maxsize=1)
def _log_compilations() -> None:
    """Log when a kernel is compiled, so that users know what they wait for."""
    register("numba:compile", _Listener())  # type: ignore[no-untyped-call]


class _Listener(Listener):
    """Receives an event for each function whose machine code is not cached on disk."""

    def on_start(self, event: Any) -> None:
        compiled = event.data["dispatcher"].py_func.__module__
        if compiled.partition(".")[0] == __name__.partition(".")[0]:
            _log_once(
                "compiling kernels for the first time on this machine, which takes some seconds"
            )

    def on_end(self, event: Any) -> None: ...


def private_folder(path: Path) -> Path:
    """Return the resolved `path`, a folder that only this user can write.

    Creates the folder if it is missing.

    Raises StorageError if other users can write to the folder, can replace it, or own a file in it.
    Raises OSError if it cannot be created or written.
    """
    path = path.resolve()
    for folder in (*reversed(path.parents), path):
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
    user = os.geteuid()
    for folder in (path, *path.parents):
        found = folder.stat()
        if found.st_uid != user and (folder == path or found.st_uid != 0):
            raise StorageError(f"{folder} belongs to another user (id {found.st_uid})")
        others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if others and (folder == path or not found.st_mode & stat.S_ISVTX):
            mode = stat.filemode(found.st_mode)
            raise StorageError(f"{folder} can be written by others ({mode}); run chmod go-w on it")
    for place, below, names in os.walk(path):
        for name in (*below, *names):
            file = Path(place, name)
            with suppress(FileNotFoundError):  # Another process replaces its files.
                if (owner := file.lstat().st_uid) != user:
                    raise StorageError(f"{file} belongs to another user (id {owner}); remove it")
    tempfile.TemporaryFile(dir=path).close()
    return path
