"""Rows of a mapped file asked for before they are read."""

import mmap
from pathlib import Path

import numpy as np

from twindex.index.vectors.prefetch import prefetch


class Told:
    """In place of a mapping: notes what it is told."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.ranges: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return self.length

    def madvise(self, advice: int, start: int, length: int) -> None:
        assert advice == mmap.MADV_WILLNEED
        assert start % mmap.PAGESIZE == 0
        self.ranges.append((start, start + length))


def test_each_page_of_the_rows_is_asked_for_once() -> None:
    page = mmap.PAGESIZE
    told = Told(128 + 1000 * 768)
    rows = np.array([[0, 1, 999, -1], [500, 0, -1, 5]])
    prefetch(told, 128, 768, rows)  # type: ignore[arg-type]
    pages = [
        number for begin, end in told.ranges for number in range(begin // page, -(-end // page))
    ]
    wanted = {
        number
        for row in (0, 1, 5, 500, 999)
        for number in range((128 + row * 768) // page, (128 + row * 768 + 767) // page + 1)
    }
    assert set(pages) == wanted
    assert len(told.ranges) == len(set(told.ranges))
    assert max(end for _, end in told.ranges) <= told.length


def test_a_real_mapping(tmp_path: Path) -> None:
    matrix = np.arange(2000 * 33, dtype=np.float16).reshape(2000, 33)
    np.save(tmp_path / "matrix.npy", matrix)
    mapped = np.load(tmp_path / "matrix.npy", mmap_mode="r")
    rows = np.array([1999, 0, -1, 777])
    prefetch(mapped._mmap, mapped.offset, 66, rows)
    prefetch(mapped._mmap, mapped.offset, 66, np.empty(0, np.int64))
    assert np.array_equal(mapped[rows[rows >= 0]], matrix[rows[rows >= 0]])
