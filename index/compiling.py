"""Compiles functions with Numba, and caches their machine code on disk.

Numba unpickles its cache files, so a user who can write them can run code in this process. The
cache is therefore in the first of these folders that this process can write:

1. `NUMBA_CACHE_DIR`, if set. Whoever sets it must ensure that other users cannot write there.
2. `__pycache__` beside the source file, as for Python's own compiled files.
3. `kernels` in the cache folder of Twindex (`TWINDEX_CACHE`), if no other user can write there.

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
"""Acquired by the first thread that logs a message on compilation, and never released."""
_CONFIG: Any = numba.config


ANY_ORDER = {"reassoc", "contract", "nsz"}
"""LLVM flags that let sums use wide registers. Infinities and NaN keep their meaning."""


def kernel(function: F) -> F:
    """Return `function` as a compiled function that releases the GIL and is cached on disk.

    Numba compiles it at the first call with each combination of argument types.
    """
    return _compiled(function)


def summing(function: F) -> F:
    """Return `function` compiled as by `kernel`, but with additions in any order.

    The compiler may then use wide registers, for example to compute inner products.
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
    """Return the folder `kernels` in this user's cache folder.

    None: the folder cannot be written, or other users can write to it.
    """
    try:
        return private_folder(cache_folder() / "kernels")
    except (OSError, RuntimeError, StorageError) as error:  # RuntimeError: the user has no home.
        _warn_uncached(str(error))
        return None


def _warn_uncached(reason: str) -> None:
    _log_once(
        "the numerical code is compiled at every start, which takes seconds: %s; set %s or "
        "NUMBA_CACHE_DIR to a folder that only this user can write",
        reason,
        CACHE,
    )


def _log_once(message: str, *values: str) -> None:
    """Log a warning about compilation, with `values` for its placeholders.

    Only the first call in a process logs.
    """
    if _LOGGED.acquire(blocking=False):
        logger.warning(message, *values)


@lru_cache(maxsize=1)
def _log_compilations() -> None:
    """From now on, log when a function is compiled, so that users know why they wait."""
    register("numba:compile", _Listener())  # type: ignore[no-untyped-call]


class _Listener(Listener):
    """Logs a message when Numba compiles a function of Twindex that is not cached on disk."""

    def on_start(self, event: Any) -> None:
        compiled = event.data["dispatcher"].py_func.__module__
        if compiled.partition(".")[0] == __name__.partition(".")[0]:
            _log_once(
                "compiling numerical code for the first time on this machine; this takes seconds"
            )

    def on_end(self, event: Any) -> None: ...


def private_folder(path: Path) -> Path:
    """Return `path` with symbolic links resolved, after checks that only this user can write to it.

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
            raise StorageError(
                f"{folder} belongs to another user (id {found.st_uid}); use a folder of your own"
            )
        others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if others and (folder == path or not found.st_mode & stat.S_ISVTX):
            mode = stat.filemode(found.st_mode)
            raise StorageError(
                f"{folder} can be written by other users ({mode}); run `chmod go-w` on it"
            )
    for place, below, names in os.walk(path):
        for name in (*below, *names):
            file = Path(place, name)
            with suppress(FileNotFoundError):  # Another process replaces its files.
                if (owner := file.lstat().st_uid) != user:
                    raise StorageError(f"{file} belongs to another user (id {owner}); remove it")
    tempfile.TemporaryFile(dir=path).close()
    return path
