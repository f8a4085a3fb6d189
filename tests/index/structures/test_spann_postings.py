"""Posting lists on disk: round trips, and detection of damage."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twindex.core import CorruptFileError
from twindex.index.structures.spann import postings, reading
from twindex.index.structures.spann.postings import FILE, PAGE, TABLE, PostingsWriter
from twindex.index.structures.spann.reading import Postings

from ...house import scaled

STRIDE = 6


def some_lists(lengths: list[int], seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(seed)
    return [
        (
            rng.choice(10_000, length, replace=False).astype(np.int32),
            rng.integers(0, 256, (length, STRIDE), dtype=np.uint8),
        )
        for length in lengths
    ]


def write(directory: Path, lists: list[tuple[np.ndarray, np.ndarray]]) -> Path:
    with PostingsWriter(directory, STRIDE) as writer:
        for rows, codes in lists:
            writer.append(rows, codes)
    return directory / FILE


def entries(block: reading.Block, place: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and codes of a list, at the offsets that searches use."""
    count, rows, codes = int(block.counts[place]), block.rows[place], block.codes[place]
    return (
        block.data[rows : rows + 4 * count].view(np.int32),
        block.data[codes : codes + STRIDE * count].reshape(-1, STRIDE),
    )


def numpy_checksum(pages: np.ndarray) -> int:
    words = pages.view(np.uint32).reshape(-1, 32).astype(np.uint64)
    sums = words.sum(axis=0) % 2**32
    weights = np.arange(len(words), 0, -1, dtype=np.uint64)[:, None]
    sums_of_sums = (words * weights % 2**32).sum(axis=0) % 2**32
    joined = 0
    for low, high in zip(sums.tolist(), sums_of_sums.tolist(), strict=True):
        joined = (joined * 0x9E3779B97F4A7C15 + (low | high << 32)) % 2**64
    return joined


@settings(max_examples=scaled(30), deadline=None)
@given(
    lengths=st.lists(st.sampled_from([0, 1, 2, 15, 16, 17, 400, 409, 410, 2000]), min_size=1),
    data=st.data(),
)
def test_lists_are_read_as_written(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("lists")
    lists = some_lists(lengths)
    path = write(directory, lists)
    assert path.stat().st_size % PAGE == 0
    read = Postings(directory, STRIDE)
    assert len(read) == len(lists)
    assert read.table.entries == sum(lengths)
    wanted = data.draw(st.sets(st.integers(0, len(lists) - 1)))
    numbers = np.array(sorted(wanted), dtype=np.int64)
    assert int(read.nbytes(numbers).sum()) <= path.stat().st_size
    with read.read(numbers) as block:
        for place, number in enumerate(numbers.tolist()):
            rows, codes = entries(block, place)
            assert np.array_equal(rows, lists[number][0])
            assert np.array_equal(codes, lists[number][1])
            assert block.codes[place] % postings.ALIGNMENT == 0


@settings(deadline=None)
@given(pages=st.integers(0, 3), seed=st.integers(0, 2**32))
def test_checksum_equals_numpy(pages: int, seed: int) -> None:
    content = np.random.default_rng(seed).integers(0, 256, pages * PAGE, dtype=np.uint8)
    assert postings.checksum(content) == numpy_checksum(content)


@settings(deadline=None)
@given(place=st.integers(0, 2 * PAGE - 1), bit=st.integers(0, 7))
def test_checksum_detects_every_changed_bit(place: int, bit: int) -> None:
    content = np.random.default_rng(1).integers(0, 256, 2 * PAGE, dtype=np.uint8)
    before = postings.checksum(content)
    content[place] ^= 1 << bit
    assert postings.checksum(content) != before


def test_a_list_of_the_wrong_shape_is_rejected(tmp_path: Path) -> None:
    with PostingsWriter(tmp_path, STRIDE) as writer:
        with pytest.raises(ValueError, match=r"codes of shape \(3, 6\), got int32 .* \(3, 5\)"):
            writer.append(np.zeros(3, np.int32), np.zeros((3, 5), np.uint8))
        with pytest.raises(ValueError, match="int64"):
            writer.append(np.zeros(3, np.int64), np.zeros((3, STRIDE), np.uint8))


def read_all(directory: Path) -> None:
    read = Postings(directory, STRIDE)
    with read.read(np.arange(len(read))):
        pass


def test_a_flipped_bit_is_reported_with_its_list(tmp_path: Path) -> None:
    path = write(tmp_path, some_lists([100, 2000, 50]))
    content = bytearray(path.read_bytes())
    content[2 * PAGE + 77] ^= 4
    path.write_bytes(content)
    read = Postings(tmp_path, STRIDE)
    with read.read(np.array([0, 2])) as block:  # The other lists are unchanged.
        assert block.counts.tolist() == [100, 50]
    with pytest.raises(CorruptFileError, match=rf"{FILE}: list 1 has a wrong checksum"):
        read_all(tmp_path)


def test_swapped_pages_are_detected(tmp_path: Path) -> None:
    path = write(tmp_path, some_lists([2000, 2000]))
    content = path.read_bytes()
    pages = [content[start : start + PAGE] for start in range(0, len(content), PAGE)]
    half = len(pages) // 2
    for first, second in ((1, 2), (1, half + 1)):
        swapped = list(pages)
        swapped[first], swapped[second] = pages[second], pages[first]
        path.write_bytes(b"".join(swapped))
        with pytest.raises(CorruptFileError, match="list 0"):
            read_all(tmp_path)
    path.write_bytes(b"".join(pages[half:] + pages[:half]))  # Whole lists.
    with pytest.raises(CorruptFileError, match="list 0"):
        read_all(tmp_path)


def test_a_truncated_file_is_detected_at_open_and_at_read(tmp_path: Path) -> None:
    path = write(tmp_path, some_lists([100, 2000, 50]))
    read = Postings(tmp_path, STRIDE)
    os.truncate(path, 2 * PAGE)
    with (
        pytest.raises(
            CorruptFileError, match="list 1 is incomplete, because the file ends too early"
        ),
        read.read(np.array([0, 1])),
    ):
        pass
    with pytest.raises(
        ValueError, match=rf"{FILE} must have .* bytes for the lists in {TABLE}, got 8,192"
    ):
        Postings(tmp_path, STRIDE)


@pytest.mark.parametrize(
    "table",
    [
        np.zeros((3, 2), np.int64),
        np.zeros((3, 3), np.uint64),
        np.zeros(3, np.uint64),
        np.full((3, 2), 2**40, np.uint64),
        np.full((3, 2), 2**64 - 1, np.uint64),
        np.ones((3, 2), np.uint64),
    ],
)
def test_a_wrong_table_is_rejected(tmp_path: Path, table: np.ndarray) -> None:
    write(tmp_path, some_lists([100, 2000, 50]))
    np.save(tmp_path / TABLE, table)
    with pytest.raises(ValueError, match=f"{TABLE}|{FILE}"):
        Postings(tmp_path, STRIDE)


def test_a_truncated_table_is_rejected(tmp_path: Path) -> None:
    write(tmp_path, some_lists([100]))
    os.truncate(tmp_path / TABLE, 130)
    with pytest.raises(ValueError):
        Postings(tmp_path, STRIDE)


def test_another_stride_is_rejected(tmp_path: Path) -> None:
    write(tmp_path, some_lists([2000]))
    with pytest.raises(ValueError, match=FILE):
        Postings(tmp_path, 8)


def test_adjacent_lists_are_read_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, some_lists([100, 0, 2000, 50, 700]))
    read = Postings(tmp_path, STRIDE)
    lengths: list[int] = []
    really = os.preadv

    def counted(file: int, buffers: list[memoryview], offset: int) -> int:
        lengths.append(really(file, [buffers[0][:3000]], offset))  # preadv may return fewer bytes.
        return lengths[-1]

    monkeypatch.setattr(reading.os, "preadv", counted)
    with read.read(np.array([0, 1, 2, 4])) as block:
        assert block.counts.tolist() == [100, 0, 2000, 700]
    requested = read.nbytes(np.array([0, 1, 2, 4])).tolist()
    assert sum(lengths) == sum(requested)
    assert len(lengths) == -(-sum(requested[:3]) // 3000) + -(-requested[3] // 3000)


def test_files_are_closed_and_buffers_are_reused(tmp_path: Path) -> None:
    write(tmp_path, some_lists([100, 2000]))
    folder = Path("/proc/self/fd")
    if not folder.exists():
        pytest.skip("the system does not say which files are open")
    before = len(list(folder.iterdir()))
    for _ in range(20):
        read = Postings(tmp_path, STRIDE)
        for _ in range(5):
            with read.read(np.array([0, 1])):
                pass
        assert len(read._buffers) == 1
    del read
    assert len(list(folder.iterdir())) == before


def test_concurrent_reads_return_equal_lists(tmp_path: Path) -> None:
    lists = some_lists([100, 2000, 0, 50, 700, 3])
    write(tmp_path, lists)
    read = Postings(tmp_path, STRIDE)
    wrong: list[object] = []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(100):
            numbers = np.flatnonzero(rng.random(len(lists)) < 0.5)
            with read.read(numbers) as block:
                for place, number in enumerate(numbers.tolist()):
                    if not np.array_equal(entries(block, place)[0], lists[number][0]):
                        wrong.append(number)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert 1 <= len(read._buffers) <= 4
