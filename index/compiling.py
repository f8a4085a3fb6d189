"""Machine code of compiled functions: kept on disk only where nobody else can plant some.

Numba finds its code again through files that it unpickles, so whoever can write there can run code
in this process. The first of these places that can be written is used:

1. `NUMBA_CACHE_DIR`, which is not checked: who sets it vouches for it.
2. `__pycache__` beside the source, as for Python's own compiled files.
3. `kernels` in the cache folder (`TWINDEX_CACHE`), if only this user can write to it.

Without a place every process compiles for itself, which takes seconds. The first compilation on a
machine is told in the log.
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
_SAID = Lock()
"""Taken for good by the first who says that kernels are compiled."""
_CONFIG: Any = numba.config


ANY_ORDER = {"reassoc", "contract", "nsz"}
"""What sums need to be made 16 at a time; infinities and NaN keep their meaning."""


def kernel(function: F) -> F:
    """Compile at the first call for the types it has then, keep the code on disk, free the GIL."""
    return _compiled(function)


def summing(function: F) -> F:
    """A `kernel` whose sums may be added up in any order: otherwise no inner product could use the
    wide registers."""
    return _compiled(function, fastmath=ANY_ORDER)


def _compiled(function: F, **options: Any) -> F:
    with _LOCK:
        _tell()
        given = _CONFIG.CACHE_DIR
        if not given and not _writable(Path(function.__code__.co_filename).parent / "__pycache__"):
            own = _own_folder()
            if own is None:
                return cast(F, njit(nogil=True, **options)(function))
            _CONFIG.CACHE_DIR = str(own)
        try:
            return cast(F, njit(cache=True, nogil=True, **options)(function))
        except RuntimeError as error:  # Numba found no place.
            _without(str(error))
            return cast(F, njit(nogil=True, **options)(function))
        finally:
            _CONFIG.CACHE_DIR = given  # Functions of others stay where they were.


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
    """The folder of this user for machine code; None where there is none."""
    try:
        return private_folder(cache_folder() / "kernels")
    except (OSError, RuntimeError, StorageError) as error:  # RuntimeError: the user has no home.
        _without(str(error))
        return None


def _without(reason: str) -> None:
    _say(
        "kernels are compiled at every start, which takes seconds: %s; name a folder of this user "
        "in %s or NUMBA_CACHE_DIR",
        reason,
        CACHE,
    )


def _say(message: str, *values: str) -> None:
    """Tell the log that kernels are compiled: once, whichever thread is first."""
    if _SAID.acquire(blocking=False):
        logger.warning(message, *values)


@lru_cache(maxsize=1)
def _tell() -> None:
    """Have the log say when a kernel is compiled: nobody should wait and not know why."""
    register("numba:compile", _Listener())  # type: ignore[no-untyped-call]


class _Listener(Listener):
    """Hears of functions whose machine code was not found on disk."""

    def on_start(self, event: Any) -> None:
        compiled = event.data["dispatcher"].py_func.__module__
        if compiled.partition(".")[0] == __name__.partition(".")[0]:
            _say("compiling kernels for the first time on this machine, which takes some seconds")

    def on_end(self, event: Any) -> None: ...


def private_folder(path: Path) -> Path:
    """A folder that only this user can write to, made if it is not there.

    Raises StorageError where others could put files into it or another folder in its place, or have
    done so; OSError where it cannot be made or written.
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
            raise StorageError(f"{folder} can be written by others ({mode}); chmod go-w it")
    for place, below, names in os.walk(path):
        for name in (*below, *names):
            file = Path(place, name)
            with suppress(FileNotFoundError):  # Another process replaces its files.
                if (owner := file.lstat().st_uid) != user:
                    raise StorageError(f"{file} belongs to another user (id {owner}); remove it")
    tempfile.TemporaryFile(dir=path).close()
    return path
