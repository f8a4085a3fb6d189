"""Measure reads from disk: drop cached pages before each query, and count bytes. Linux only.

`forget` drops the pages of files from the page cache (posix_fadvise, after fsync), also if this
process has mapped them. Other processes are not affected. Caches of the disk itself or of its host
remain: "cold" means that the operating system has to read from the disk.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

_LIBC = ctypes.CDLL(None, use_errno=True)
_DONTNEED = 4


def forget(files: Sequence[Path]) -> None:
    """Drop the pages of `files` from the page cache."""
    names = {str(file.resolve()) for file in files}
    with open("/proc/self/maps") as mappings:
        for line in mappings:
            fields = line.split(maxsplit=5)
            if len(fields) == 6 and fields[5].rstrip() in names:
                begin, end = (int(address, 16) for address in fields[0].split("-"))
                length = ctypes.c_size_t(end - begin)
                _LIBC.madvise(ctypes.c_void_p(begin), length, _DONTNEED)
    for file in files:
        opened = os.open(file, os.O_RDONLY)
        try:
            os.posix_fadvise(opened, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(opened)


def settle(files: Sequence[Path]) -> None:
    """Write `files` to disk (fsync): pages that are not on disk yet cannot be dropped."""
    for file in files:
        opened = os.open(file, os.O_RDONLY)
        os.fsync(opened)
        os.close(opened)


def read_bytes() -> int:
    """Bytes that this process has read from disk so far."""
    with open("/proc/self/io") as counts:
        return next(int(line.split()[1]) for line in counts if line.startswith("read_bytes"))


def cold(
    calls: dict[str, tuple[Callable[[int], Any], Sequence[Path]]], queries: int
) -> dict[str, dict[str, float]]:
    """Milliseconds (p50, p95, p99) and KB read from disk, for each call.

    The calls take turns for each query. The pages of a call's files are dropped before it.
    """
    for call, files in calls.values():
        settle(files)
        call(0)
    milliseconds: dict[str, list[float]] = {name: [] for name in calls}
    kilobytes: dict[str, list[float]] = {name: [] for name in calls}
    for query in range(queries):
        for name, (call, files) in calls.items():
            forget(files)
            before, began = read_bytes(), perf_counter()
            call(query)
            milliseconds[name].append((perf_counter() - began) * 1e3)
            kilobytes[name].append((read_bytes() - before) / 1024)
    return {
        name: {
            "KB": float(np.mean(kilobytes[name])),
            **{f"p{p} ms": float(np.percentile(milliseconds[name], p)) for p in (50, 95, 99)},
        }
        for name in calls
    }
