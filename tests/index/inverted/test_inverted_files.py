"""The files of inverted indexes, and the memory of a merge."""

from __future__ import annotations

import gc
import os
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba.core import caching
from scipy.sparse import csr_array, random_array

from twindex.core import InvalidInputError, Representation
from twindex.index import LexicalLeg, SparseLeg, protocol
from twindex.index.arrays.growing import GrowingArray
from twindex.index.arrays.npy import NpyFile, NpyWriter
from twindex.index.compiling import kernel
from twindex.index.inverted.dictionary import DictionaryWriter, TermDictionary, hash_of
from twindex.index.inverted.lexical import LexicalSegment
from twindex.index.inverted.postings import PostingsWriter
from twindex.index.inverted.selection import GROUP, LANES, Scratch, ScratchPool, pool
from twindex.index.inverted.sparse import SparseSegment
from twindex.index.inverted.warm import warm


@pytest.mark.parametrize("lengths", [[], [0], [3], [0, 5, 100_000]])
@pytest.mark.parametrize("columns", [None, 3])
def test_written_in_pieces_equals_saved_at_once(
    tmp_path: Path, lengths: list[int], columns: int | None
) -> None:
    tail = () if columns is None else (columns,)
    pieces = [np.arange(n * (columns or 1)).reshape(n, *tail) for n in lengths]
    with NpyWriter(tmp_path / "pieces.npy", np.int32, columns) as writer:
        for piece in pieces:
            writer.append(piece)
    whole = np.concatenate([np.empty((0, *tail), np.int32), *pieces]).astype(np.int32)
    np.save(tmp_path / "whole.npy", whole)
    assert (tmp_path / "pieces.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()
    file = NpyFile(tmp_path / "pieces.npy", np.int32, dimensions=1 if columns is None else 2)
    np.testing.assert_array_equal(file.array, whole)
    stop = len(whole)
    np.testing.assert_array_equal(file.read(stop // 3, stop), whole[stop // 3 :])
    assert not file.array.flags.writeable


def test_a_piece_of_another_shape_is_rejected(tmp_path: Path) -> None:
    with (
        NpyWriter(tmp_path / "a.npy", np.int32, 3) as writer,
        pytest.raises(ValueError, match="shape"),
    ):
        writer.append(np.zeros((2, 4)))


def test_a_growing_array_keeps_old_views_unchanged() -> None:
    grown = GrowingArray(np.int32)
    views, expected = [], []
    for size in (1, 0, 3, 7, 20, 1):
        grown.append(np.arange(len(grown), len(grown) + size))
        views.append(grown.values)
        expected.append(np.arange(len(grown)))
    for view, values in zip(views, expected, strict=True):
        np.testing.assert_array_equal(view, values)


def test_dictionary_finds_terms_by_hash(tmp_path: Path) -> None:
    terms = ["", "a", "ä", "東京", "\ud800", *(f"t{i}" for i in range(500))]
    encoded = sorted(
        (hash_of(raw), raw) for raw in (t.encode("utf-8", "surrogatepass") for t in terms)
    )
    with DictionaryWriter(tmp_path) as writer:
        writer.append(encoded[:200])
        writer.append(encoded[200:])
    dictionary = TermDictionary(tmp_path)
    assert dictionary.read(0, len(dictionary)) == encoded
    found = [dictionary.find(term) for term in terms]
    assert sorted(number for number in found if number is not None) == list(range(len(terms)))
    for term, number in zip(terms, found, strict=True):
        assert number is not None
        assert encoded[number][1] == term.encode("utf-8", "surrogatepass")
        assert dictionary.find(term) == number
    assert dictionary.find("t500") is None
    for number in range(10_000):  # More than the cache holds.
        assert (dictionary.find(f"t{number}") is None) == (number >= 500)


@pytest.mark.parametrize("kind", ["sparse", "lexical"])
def test_merge_stays_within_its_memory(tmp_path: Path, kind: str) -> None:
    """Merging 600,000 postings, 5 MB on disk, takes little more than 2 MB."""
    rng = np.random.default_rng(0)
    memory, rows = 2_000_000, 20_000
    sources = []
    for index in range(2):
        directory = tmp_path / str(index)
        directory.mkdir()
        if kind == "sparse":
            matrix = random_array((rows, 3000), density=0.005, format="csr", rng=rng)
            batch = Representation(sparse=matrix.astype(np.float32))
            SparseSegment.build(directory, batch, SparseLeg())
            sources.append((SparseSegment.open(directory, SparseLeg()), rng.random(rows) < 0.9))
        else:
            drawn = rng.zipf(1.3, (rows, 25)) % 20_000
            batch = Representation(
                terms=[dict.fromkeys(map(str, row), 1) for row in drawn.tolist()]
            )
            LexicalSegment.build(directory, batch, LexicalLeg())
            sources.append((LexicalSegment.open(directory, LexicalLeg()), rng.random(rows) < 0.9))
    merged = tmp_path / "merged"
    merged.mkdir()
    del batch
    tracemalloc.start()
    if kind == "sparse":
        SparseSegment.merge(merged, sources, SparseLeg(), memory)
    else:
        LexicalSegment.merge(merged, sources, LexicalLeg(), memory)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The new row numbers and the longest list come on top.
    assert peak < memory + 2 * rows * 4 + 500_000


def test_merge_of_many_sources_stays_within_its_memory(tmp_path: Path) -> None:
    """The terms of all sources alone would take 24 MB."""
    memory, vocabulary = 2_000_000, 30_000
    weights = csr_array(([np.float32(1)], ([0], [7])), shape=(1, vocabulary))
    SparseSegment.build(tmp_path, Representation(sparse=weights), SparseLeg())
    sources = [(SparseSegment.open(tmp_path, SparseLeg()), None) for _ in range(100)]
    merged = tmp_path / "merged"
    merged.mkdir()
    tracemalloc.start()
    SparseSegment.merge(merged, sources, SparseLeg(), memory)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(SparseSegment.open(merged, SparseLeg())) == 100
    assert peak < memory


@pytest.fixture(params=["sparse", "lexical"])
def part(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, type[Any], Any]:
    """A small segment part: directory, class and configuration."""
    if request.param == "sparse":
        weights = random_array((50, 20), density=0.3, format="csr", rng=1, dtype=np.float32)
        SparseSegment.build(tmp_path, Representation(sparse=weights), SparseLeg())
        return tmp_path, SparseSegment, SparseLeg()
    terms = [{f"w{row % 7}": 1 + row % 3, f"w{row % 5}x": 1} for row in range(50)]
    LexicalSegment.build(tmp_path, Representation(terms=terms), LexicalLeg())
    return tmp_path, LexicalSegment, LexicalLeg()


@pytest.mark.parametrize(
    ("part", "name", "place", "value"),
    [
        *(
            (kind, name, place, value)
            for kind in ("sparse", "lexical")
            for name, place, value in (
                ("rows.npy", 3, 50),
                ("rows.npy", -1, -1),
                ("indptr.npy", 0, 1),
                ("indptr.npy", 2, -1),
                ("indptr.npy", 2, 1 << 40),
                ("indptr.npy", -1, 1 << 40),
            )
        ),
        ("sparse", "shape.npy", 0, -1),
        ("sparse", "shape.npy", 0, 20),
        ("sparse", "shape.npy", 1, 19),
        ("lexical", "codes.npy", 5, 60_000),
        ("lexical", "offsets.npy", 2, 1 << 40),
        ("lexical", "offsets.npy", -1, 0),
        ("lexical", "hashes.npy", 0, (1 << 64) - 1),
    ],
    indirect=["part"],
)
def test_damaged_numbers_are_rejected_at_open(
    part: tuple[Path, type[Any], Any], name: str, place: int, value: int
) -> None:
    """The kernels check no bounds, so opening must reject damaged numbers."""
    directory, kind, config = part
    array = np.load(directory / name)
    array[place] = value
    np.save(directory / name, array)
    with pytest.raises(ValueError, match=r"\.npy"):
        kind.open(directory, config)


@pytest.mark.parametrize("change", ["type", "length", "dimensions"])
def test_mismatched_arrays_are_rejected_at_open(
    part: tuple[Path, type[Any], Any], change: str
) -> None:
    directory, kind, config = part
    for file in directory.glob("*.npy"):
        if change == "length" and file.name in ("terms.npy", "lengths.npy", "pairs.npy"):
            continue  # These cases are in the test above.
        saved, array = file.read_bytes(), np.load(file)
        changed = {
            "type": array.astype(np.complex64),
            "length": np.concatenate([array, array[-1:]]),
            "dimensions": array[..., None],
        }
        np.save(file, changed[change])
        with pytest.raises(ValueError, match=r"npy|postings"):
            kind.open(directory, config)
        file.write_bytes(saved)


def test_numbers_are_checked_beyond_the_first_block(tmp_path: Path) -> None:
    numbers = np.arange(600_000)
    for place in (0, 262_143, 262_144, 262_145, 599_999):
        damaged = numbers.copy()
        damaged[place] = -1 if place else 1 << 40
        np.save(tmp_path / "numbers.npy", damaged)
        file = NpyFile(tmp_path / "numbers.npy", np.int64)
        with pytest.raises(ValueError, match="ascend"):
            file.check_ascending()
        with pytest.raises(ValueError, match="at least 0 and below 600000"):
            file.check_below(len(numbers))
    np.save(tmp_path / "numbers.npy", numbers)
    file = NpyFile(tmp_path / "numbers.npy", np.int64)
    file.check_offsets(len(numbers) - 1, len(numbers) - 1)
    file.check_below(len(numbers))


def test_a_mask_of_another_length_is_rejected(part: tuple[Path, type[Any], Any]) -> None:
    directory, kind, config = part
    opened = kind.open(directory, config)
    queries = Representation(sparse=csr_array((1, 20), dtype=np.float32), terms=[{"w1": 1}])
    with pytest.raises(ValueError, match="51"):
        opened.search(queries, 1, np.ones(51, np.bool_))


def test_more_rows_than_the_limit_are_rejected(
    part: tuple[Path, type[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    directory, kind, config = part
    sources = [(kind.open(directory, config), mask) for mask in (None, np.ones(50, np.bool_))]
    monkeypatch.setattr(protocol, "MAX_ROWS", 99)
    with pytest.raises(InvalidInputError, match=r"at most 99 passages .*, got 100;"):
        kind.merge(directory, sources, config, 1 << 20)
    monkeypatch.setattr(protocol, "MAX_ROWS", 49)
    batch = Representation(sparse=csr_array((50, 20), dtype=np.float32))
    if kind is LexicalSegment:
        batch = Representation(terms=[{"a": 1}] * 50)
    with pytest.raises(InvalidInputError, match=r"at most 49 passages .*, got 50;"):
        kind.build(directory, batch, config)


def test_idle_threads_keep_no_working_memory(part: tuple[Path, type[Any], Any]) -> None:
    directory, kind, config = part
    opened = kind.open(directory, config)
    queries = Representation(sparse=csr_array(np.eye(1, 20, dtype=np.float32)), terms=[{"w1": 1}])
    barrier = threading.Barrier(40)

    def search(_: int) -> int:
        barrier.wait()
        return int(opened.search(queries, 1, None).rows[0, 0])

    with ThreadPoolExecutor(40) as threads:
        assert len(set(threads.map(search, range(40)))) == 1
        assert 1 <= len(pool) <= (os.cpu_count() or 1)


def test_working_memory_is_reused_and_grows() -> None:
    some = ScratchPool()
    small, large = some.acquire(10), some.acquire(5000)
    assert small is not large
    some.release(small)
    assert some.acquire(10) is small
    some.release(small)
    larger = some.acquire(300)
    assert larger is not small
    assert larger.rows >= 300
    assert len(larger.accumulator(300)) % (GROUP * LANES) == 0
    for _ in range(200):
        some.release(Scratch(1))
    assert len(some) == (os.cpu_count() or 1)


def test_kernels_work_without_a_writable_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Package and home are read-only, so numba has no folder for its cache."""
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])

    @kernel
    def twice(number: int) -> int:
        return 2 * number

    assert twice(21) == 42


def test_warm_can_be_repeated() -> None:
    warm()
    warm()


@pytest.mark.parametrize(
    ("last", "opened"),
    [
        ("terms.npy", DictionaryWriter),
        ("values.npy", lambda directory: PostingsWriter(directory, "values.npy", np.float32)),
    ],
)
def test_writers_close_their_files_if_one_cannot_be_opened(tmp_path, last, opened):
    (tmp_path / last).mkdir()
    with pytest.raises(IsADirectoryError):
        opened(tmp_path)
    gc.collect()  # A file that is still open warns, and warnings are errors.
