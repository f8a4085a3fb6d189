"""The cache folder for extracted and converted weights. Its content may be deleted at any time."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

CACHE = "TWINDEX_CACHE"
ABANDONED = 24 * 3600
"""Age in seconds after which an incomplete folder counts as abandoned and is deleted."""

_PARTIAL = ".partial-"


def cache_folder() -> Path:
    if own := os.environ.get(CACHE):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "twindex"


def make_folder(target: Path, fill: Callable[[Path], Any]) -> Path:
    """Return the folder `target`. If it does not exist, create it and its files.

    fill: function that writes the files into an empty folder.

    The folder `target` is never incomplete, even if several processes create it at the same time.
    Each process fills a temporary folder of its own and renames it when it is complete. The
    temporary folder of an interrupted process is removed after a day.
    """
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target.parent)
    partial = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=target.parent))
    try:
        fill(partial)
        _sync(partial)
        partial.rename(target)
    except OSError:
        if not target.is_dir():  # Otherwise another process created it first.
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def remove_folder(target: Path) -> None:
    """Remove a folder and its files. Does nothing if the folder no longer exists."""
    aside = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=target.parent))
    try:
        with suppress(FileNotFoundError):
            target.rename(aside / target.name)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _sweep(parent: Path) -> None:
    for partial in parent.glob(f"{_PARTIAL}*"):
        with suppress(OSError):  # Another process may remove it at the same time.
            if time.time() - partial.stat().st_mtime > ABANDONED:
                shutil.rmtree(partial)


def _sync(folder: Path) -> None:
    """Flush all files of a folder to disk, so that the folder may be renamed."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as stream:
                os.fsync(stream.fileno())
