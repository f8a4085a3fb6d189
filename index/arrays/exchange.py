"""Exchanges two folders in one step, so that neither name is ever missing."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from ...core import StorageError

_AT_FDCWD = -100
_EXCHANGE = 2
"""The flag RENAME_EXCHANGE of Linux, and RENAME_SWAP of macOS."""


def exchange(one: Path, two: Path) -> None:
    """Exchange the names of two folders of the same file system. Durable on return.

    Raises StorageError if the file system cannot do it; nothing has changed then.
    """
    library = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(one), os.fsencode(two)
    try:
        if sys.platform == "darwin":
            failed = library.renamex_np(*names, _EXCHANGE)
        else:
            failed = library.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _EXCHANGE)
    except AttributeError:
        raise StorageError("this system cannot exchange two folders in one step") from None
    if failed:
        reason = os.strerror(ctypes.get_errno())
        raise StorageError(
            f"{one} and {two} cannot be exchanged in one step ({reason}); use a local file system, "
            "and a folder that is not a mount point"
        )
    for parent in {one.parent, two.parent}:
        descriptor = os.open(parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
