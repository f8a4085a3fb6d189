"""Rows that are asked for before they are read are in memory then, and no others."""

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

ROWS, WIDTH = 20_000, 256  # 512 bytes a row: 10 MB.


def resident(vectors: Originals) -> np.ndarray:
    """Which pages of the file are in memory, bool [pages]."""
    start = vectors.array.ctypes.data // mmap.PAGESIZE * mmap.PAGESIZE
    length = vectors.array.nbytes
    pages = (ctypes.c_ubyte * (-(-length // mmap.PAGESIZE) + 1))()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mincore(ctypes.c_void_p(start), ctypes.c_size_t(length), pages) != 0:
        pytest.skip("this system does not say which pages are in memory")
    return np.frombuffer(pages, np.uint8) & 1 > 0


def test_rows_of_a_cold_file_are_fetched_before_they_are_read(tmp_path: Path) -> None:
    matrix = np.random.default_rng(0).standard_normal((ROWS, WIDTH)).astype(np.float32)
    originals.write(tmp_path, lambda: [matrix], WIDTH, half=True)
    with (tmp_path / originals.FILE).open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    rows = np.array([[4_000, 9_000, -1], [ROWS - 9, 12_345, 12_346]])
    wanted = np.array([4_000, 9_000, ROWS - 9, 12_345]) * 512 // mmap.PAGESIZE
    Originals.open(tmp_path).expect(rows)
    vectors = Originals.open(tmp_path, cold=True)
    before = resident(vectors)  # The header was read, and what follows it.
    if before[wanted].any():
        pytest.skip("this file system keeps pages that it was asked to drop")
    vectors.expect(rows)
    deadline = time.monotonic() + 10
    while not resident(vectors)[wanted].all() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert resident(vectors)[wanted].all()
    # A row may lie on two pages; nothing around them is read.
    assert (resident(vectors) & ~before).sum() <= 2 * rows.size
    np.testing.assert_array_equal(vectors.take(rows[0, :2]), matrix[rows[0, :2]].astype(np.float16))


def test_matrices_that_are_no_files_have_nothing_to_fetch() -> None:
    Originals(np.ones((3, 2), np.float32), cold=True).expect(np.array([[0, 2]]))
