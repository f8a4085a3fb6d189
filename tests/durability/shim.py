"""Compiles `shim.c`, and tells it from another process which operations fail."""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

KINDS = {
    "write": 1,
    "sync": 2,
    "open": 4,
    "rename": 8,
    "truncate": 16,
    "unlink": 32,
    "mkdir": 64,
    "read": 128,
}
CHANGES = sum(KINDS.values()) - KINDS["read"]
"""All kinds of operations that change the disk."""
KILL = -1
"""The error that ends the process by SIGKILL before its operation."""
NEVER = 2**60
"""An operation number that is never reached."""
_CONTROL = struct.Struct("<2i2q8qq")


def compiled(folder: Path) -> Path:
    """Compile the shim into `folder` and return the library. Skip the test without a compiler."""
    if not sys.platform.startswith("linux") or shutil.which("gcc") is None:
        pytest.skip("needs Linux and gcc to intercept the file operations of a process")
    library = folder / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.run(
        ["gcc", "-O1", "-shared", "-fPIC", "-o", library, source, "-lpthread"], check=True
    )
    return library


class Control:
    """Makes operations fail in processes whose variable SHIM_CONTROL names the file `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(bytes(_CONTROL.size))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _CONTROL.size)

    def fail(self, kinds: int, error: int, first: int = 1, last: int = NEVER) -> None:
        """Let the operations `first` to `last` of `kinds` fail, counted from now."""
        self.clear()
        self._map[8:-8] = _CONTROL.pack(0, 0, first, last, *[0] * 9)[8:-8]
        self._map[:8] = struct.pack("<2i", kinds, error)

    def clear(self) -> None:
        """Let no operation fail."""
        self._map[:4] = bytes(4)

    def move_clock(self, seconds: int) -> None:
        """Let the clock of the processes be wrong by `seconds`."""
        self._map[-8:] = struct.pack("<q", seconds)

    def count(self, kinds: int) -> int:
        """Return the number of operations of `kinds` since `fail`."""
        counts = _CONTROL.unpack(self._map[:])[4:-1]
        return sum(count for bit, count in enumerate(counts) if kinds >> bit & 1)
