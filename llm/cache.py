"""A folder of ours for what can be made again: extracted and converted weights."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

CACHE = "TWINDEX_CACHE"


def cache_folder() -> Path:
    if own := os.environ.get(CACHE):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "twindex"


def make_folder(target: Path, fill: Callable[[Path], Any]) -> Path:
    """`target`, which `fill` has filled, now or before; never half of it.

    Safe among processes: each fills a folder of its own, and renaming decides. What an
    interrupted process leaves is not taken for complete.
    """
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=target.parent))
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


def _sync(folder: Path) -> None:
    """Put the files on the disk before the rename that says they are complete."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as stream:
                os.fsync(stream.fileno())
