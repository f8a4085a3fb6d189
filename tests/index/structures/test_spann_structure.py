"""The spann index as a Structure: build, open, search and read."""

import json
import os
import shutil
from pathlib import Path

import faiss
import numpy as np
import pytest

from twindex.core import NoProgress
from twindex.index import Int8Codec, ScalarCodec, SpannConfig, VectorStorage
from twindex.index.structures.spann import build, heads, postings
from twindex.index.structures.spann.structure import CODEC, CODES, SpannIndex

from .sources import Source

ROWS, WIDTH = 3_000, 32
MEMORY = 64 << 20

STORAGES = {
    "float32": VectorStorage(index=SpannConfig(), codec=ScalarCodec()),
    "float8": VectorStorage(index=SpannConfig(), codec=ScalarCodec(kind="float8_e4m3")),
    "int8": VectorStorage(index=SpannConfig()),
    "binary": VectorStorage(index=SpannConfig(), codec=ScalarCodec(kind="binary")),
    "int8 alone": VectorStorage(index=SpannConfig(), codec=Int8Codec(), originals="none"),
}


def some_vectors(rows: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(5).standard_normal((40, WIDTH))
    made = centres[rng.integers(0, 40, rows)] + 0.7 * rng.standard_normal((rows, WIDTH))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


VECTORS = some_vectors(ROWS)
QUERIES = some_vectors(50, 1)
TRUTH = np.argsort(-(QUERIES @ VECTORS.T), axis=1)[:, :10]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    directories = {}
    for name, storage in STORAGES.items():
        directories[name] = tmp_path_factory.mktemp("spann")
        SpannIndex.build(directories[name], Source(VECTORS), storage, MEMORY, NoProgress())
    return directories


def found(index: SpannIndex, **parameters: int) -> float:
    rows = index.search(QUERIES, 10, parameters, None).rows
    return float((rows[:, :, None] == TRUTH[:, None, :]).any(axis=1).mean())


@pytest.mark.parametrize("name", STORAGES)
def test_reading_more_lists_increases_recall(built: dict[str, Path], name: str) -> None:
    index = SpannIndex.open(built[name], STORAGES[name])
    assert (len(index), index.exact_vectors) == (ROWS, None)
    assert index.memory > 0
    best = {"float32": 1.0, "binary": 0.2}.get(name, 0.9)
    assert found(index, nprobe=1) <= found(index, nprobe=8) + 0.02
    assert found(index, nprobe=ROWS) >= best


def test_searching_all_lists_is_exact(built: dict[str, Path]) -> None:
    index = SpannIndex.open(built["float32"], STORAGES["float32"])
    ranking = index.search(QUERIES, ROWS, {"nprobe": ROWS}, None)
    products = QUERIES @ VECTORS.T
    assert np.array_equal(np.sort(ranking.rows, axis=1), np.tile(np.arange(ROWS), (50, 1)))
    assert np.allclose(ranking.scores, -np.sort(-products, axis=1), atol=1e-5)
    allowed = np.arange(ROWS) % 7 == 3
    ranking = index.search(QUERIES, 10, {"nprobe": ROWS}, allowed)
    expected = np.argsort(np.where(allowed, -products, np.inf), axis=1)[:, :10]
    assert np.array_equal(ranking.rows, expected)


def test_a_vector_is_its_own_nearest_neighbour(built: dict[str, Path]) -> None:
    index = SpannIndex.open(built["int8"], STORAGES["int8"])
    ranking = index.search(VECTORS, 1, {"nprobe": 2, "oversample": 0}, None)
    assert (ranking.rows[:, 0] == np.arange(ROWS)).mean() > 0.98


@pytest.mark.parametrize("name", STORAGES)
def test_ladder_has_distinct_affordable_settings(built: dict[str, Path], name: str) -> None:
    index = SpannIndex.open(built[name], STORAGES[name])
    ladder = index.ladder()
    assert len({tuple(rung) for rung in ladder}) == 1
    assert set(ladder[0]) == set(STORAGES[name].parameters)
    assert ladder[0]["nprobe"] == 1
    assert len({tuple(rung.values()) for rung in ladder}) == len(ladder)
    assert all(index.cost(rung, 0) <= ROWS for rung in ladder)
    for oversample in {rung.get("oversample", 0) for rung in ladder}:
        nprobes = [rung["nprobe"] for rung in ladder if rung.get("oversample", 0) == oversample]
        assert nprobes == sorted(nprobes)
    assert index.cost({"nprobe": 4}, 10) < index.cost({"nprobe": 8}, 10)


def test_read_decodes_vectors_without_originals(built: dict[str, Path]) -> None:
    index = SpannIndex.open(built["int8 alone"], STORAGES["int8 alone"])
    read = np.concatenate([index.read(start, start + 500) for start in range(0, ROWS, 500)])
    assert np.abs(read - VECTORS).max() < 0.02
    assert np.allclose(np.linalg.norm(read, axis=1), 1, atol=1e-3)
    assert not (built["int8"] / CODES).exists()
    with pytest.raises(ValueError, match="originals"):
        SpannIndex.open(built["int8"], STORAGES["int8"]).read(0, 1)


def test_small_collections_are_built_and_searched(tmp_path: Path) -> None:
    storage = STORAGES["float32"]
    for rows in (1, 2, 30):
        directory = tmp_path / str(rows)
        directory.mkdir()
        SpannIndex.build(directory, Source(VECTORS[:rows]), storage, MEMORY, NoProgress())
        index = SpannIndex.open(directory, storage)
        assert index.ladder()
        ranking = index.search(QUERIES, 5, {"nprobe": 1000}, None)
        expected = np.argsort(-(QUERIES @ VECTORS[:rows].T), axis=1)[:, :5]
        assert np.array_equal(ranking.rows[:, : min(rows, 5)], expected)
        assert (ranking.rows[:, rows:] == -1).all()


def copy(built: dict[str, Path], name: str, to: Path) -> Path:
    return Path(shutil.copytree(built[name], to / "copy"))


@pytest.mark.parametrize(
    "file", [postings.FILE, postings.TABLE, heads.FILE, CODEC, build.FILE, CODES]
)
def test_missing_and_truncated_files_are_rejected(
    built: dict[str, Path], tmp_path: Path, file: str
) -> None:
    directory = copy(built, "int8 alone", tmp_path)
    path = directory / file
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises((OSError, ValueError)):
        SpannIndex.open(directory, STORAGES["int8 alone"])
    path.unlink()
    with pytest.raises(FileNotFoundError, match=file):
        SpannIndex.open(directory, STORAGES["int8 alone"])


@pytest.mark.parametrize("rows", [None, "many", 0, -1])
def test_a_report_without_a_number_of_rows_is_rejected(
    built: dict[str, Path], tmp_path: Path, rows: object
) -> None:
    directory = copy(built, "int8", tmp_path)
    (directory / build.FILE).write_text(json.dumps({"rows": rows}))
    with pytest.raises(ValueError, match=build.FILE):
        SpannIndex.open(directory, STORAGES["int8"])


def test_heads_with_a_damaged_length_are_rejected(
    built: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_index(path: str) -> None:
        raise MemoryError("std::bad_alloc")  # What FAISS raises for some lengths.

    monkeypatch.setattr(faiss, "read_index", read_index)
    with pytest.raises(ValueError, match=heads.FILE):
        heads.Heads.open(built["int8"])


def test_heads_of_another_index_are_rejected(built: dict[str, Path], tmp_path: Path) -> None:
    directory = copy(built, "int8", tmp_path)
    heads.Heads.build(VECTORS[:7], 0).save(directory)
    with pytest.raises(ValueError, match="does not match"):
        SpannIndex.open(directory, STORAGES["int8"])


def test_another_codec_is_rejected(built: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match=CODEC):
        SpannIndex.open(built["int8"], STORAGES["float8"])
