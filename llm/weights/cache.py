"""A folder of ours for what can be made again: extracted and converted weights."""

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
"""Seconds after which nobody is at work any more on a folder that is not complete."""

_PARTIAL = ".partial-"


def cache_folder() -> Path:
    if own := os.environ.get(CACHE):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "twindex"


def make_folder(target: Path, fill: Callable[[Path], Any]) -> Path:
    """`target`, which `fill` has filled, now or before; never half of it.

    Safe among processes: each fills a folder of its own, and renaming decides. What an
    interrupted process leaves is not taken for complete, and removed after a day.
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
        if not target.is_dir():  # not because another process was faster
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def remove_folder(target: Path) -> None:
    """Remove a folder whole, unless another process was faster."""
    aside = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=target.parent))
    try:
        with suppress(FileNotFoundError):
            target.rename(aside / target.name)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _sweep(parent: Path) -> None:
    for partial in parent.glob(f"{_PARTIAL}*"):
        with suppress(OSError):  # another process sweeps too
            if time.time() - partial.stat().st_mtime > ABANDONED:
                shutil.rmtree(partial)


def _sync(folder: Path) -> None:
    """Put the files on the disk before the rename that says they are complete."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as stream:
                os.fsync(stream.fileno())
