"""The files under the inverted index, and the memory that a merge takes."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import random_array

from twindex.core import LexicalLeg, Representation, SparseLeg
from twindex.index.growing import GrowingArray
from twindex.index.inverted import LexicalSegment, SparseSegment, warm
from twindex.index.inverted.dictionary import DictionaryWriter, TermDictionary, hash_of
from twindex.index.npy import NpyFile, NpyWriter


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
    file: NpyFile[np.int32] = NpyFile(tmp_path / "pieces.npy")
    np.testing.assert_array_equal(file.array, whole)
    stop = len(whole)
    np.testing.assert_array_equal(file.read(stop // 3, stop), whole[stop // 3 :])
    assert not file.array.flags.writeable


def test_a_piece_of_another_shape_is_refused(tmp_path: Path) -> None:
    with (
        NpyWriter(tmp_path / "a.npy", np.int32, 3) as writer,
        pytest.raises(ValueError, match="shape"),
    ):
        writer.append(np.zeros((2, 4)))


def test_a_growing_array_leaves_views_alone() -> None:
    grown = GrowingArray(np.int32)
    views, expected = [], []
    for size in (1, 0, 3, 7, 20, 1):
        grown.append(np.arange(len(grown), len(grown) + size))
        views.append(grown.values)
        expected.append(np.arange(len(grown)))
    for view, values in zip(views, expected, strict=True):
        np.testing.assert_array_equal(view, values)


def test_dictionary(tmp_path: Path) -> None:
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
    for number in range(10_000):  # More than it remembers.
        assert (dictionary.find(f"t{number}") is None) == (number >= 500)


@pytest.mark.parametrize("kind", ["sparse", "lexical"])
def test_merge_stays_within_its_memory(tmp_path: Path, kind: str) -> None:
    """600,000 postings, which take 5 MB on disk, are merged in little more than 2 MB."""
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
    # The new number of every row and a longest list, which always fits, come on top.
    assert peak < memory + 2 * rows * 4 + 500_000


def test_warm_can_be_repeated() -> None:
    warm()
    warm()
