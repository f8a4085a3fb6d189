"""Prefetching loads the requested rows into memory, and no others."""

from __future__ import annotations

import ctypes
import mmap
import os
import time
from pathlib import Path

import numpy as np
import pytest

from twindex.index.structures import originals
from twindex.index.structures.originals import Originals

ROWS, WIDTH = 20_000, 256  # 512 bytes per row: 10 MB.


def resident(vectors: Originals) -> np.ndarray:
    """Return which pages of the file are in memory, bool [pages]."""
    start = vectors.array.ctypes.data // mmap.PAGESIZE * mmap.PAGESIZE
    length = vectors.array.nbytes
    pages = (ctypes.c_ubyte * (-(-length // mmap.PAGESIZE) + 1))()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mincore(ctypes.c_void_p(start), ctypes.c_size_t(length), pages) != 0:
        pytest.skip("this system does not say which pages are in memory")
    return np.frombuffer(pages, np.uint8) & 1 > 0


def test_only_the_pages_of_the_rows_are_prefetched(tmp_path: Path) -> None:
    matrix = np.random.default_rng(0).standard_normal((ROWS, WIDTH)).astype(np.float32)
    originals.write(tmp_path, lambda: [matrix], WIDTH, half=True)
    with (tmp_path / originals.FILE).open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    rows = np.array([[4_000, 9_000, -1], [ROWS - 9, 12_345, 12_346]])
    wanted = np.array([4_000, 9_000, ROWS - 9, 12_345]) * 512 // mmap.PAGESIZE
    Originals.open(tmp_path).expect(rows)
    vectors = Originals.open(tmp_path, cold=True)
    before = resident(vectors)  # The header and the bytes after it were read.
    if before[wanted].any():
        pytest.skip("this file system ignores requests to drop pages from the cache")
    vectors.expect(rows)
    deadline = time.monotonic() + 10
    while not resident(vectors)[wanted].all() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert resident(vectors)[wanted].all()
    # A row may span two pages. Nothing around them is read.
    assert (resident(vectors) & ~before).sum() <= 2 * rows.size
    np.testing.assert_array_equal(vectors.take(rows[0, :2]), matrix[rows[0, :2]].astype(np.float16))


def test_matrices_in_memory_are_not_prefetched() -> None:
    Originals(np.ones((3, 2), np.float32), cold=True).expect(np.array([[0, 2]]))
