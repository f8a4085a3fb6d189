"""Out-of-core builds: contents of the lists, and limits."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from twindex.core import NoProgress
from twindex.index import SpannConfig, VectorStorage
from twindex.index.structures.spann import build as spann
from twindex.index.structures.spann import lists as spann_lists
from twindex.index.structures.spann.heads import Heads, normalized
from twindex.index.structures.spann.lists import length_limit
from twindex.index.structures.spann.postings import FILE, PAGE, TABLE, codes_begin, pages_of
from twindex.index.structures.spann.sizing import LIMIT_RATIO, head_count, sample_size, sizes
from twindex.index.structures.spann.spill import Spill, is_complete

from ...house import scaled
from .sources import Counter, InOrder

Floats = NDArray[np.float32]
MEMORY = 1 << 20


def clustered(n: int, width: int = 16, seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((20, width))
    vectors = centres[rng.integers(20, size=n)] + 0.5 * rng.standard_normal((n, width))
    return normalized(vectors.astype(np.float32))


def storage(codec: str = "float32", **index: Any) -> VectorStorage:
    return VectorStorage.model_validate(
        {"index": {"kind": "spann", **index}, "codec": {"kind": codec}}
    )


def built(
    directory: Path, vectors: Floats, options: VectorStorage, memory: int = MEMORY
) -> list[Any]:
    """Build an index. Return the rows of each list and their decoded vectors."""
    progress = Counter()
    spann.build(directory, InOrder(vectors), options, memory, progress)
    assert progress.done == len(vectors)
    assert not (directory / "scratch").exists()
    return contents(directory, options)


def contents(directory: Path, options: VectorStorage) -> list[Any]:
    assert options.used_codec is not None
    codec = options.used_codec.load(directory / "codec.npz")
    data = np.fromfile(directory / FILE, dtype=np.uint8)
    lists, at = [], 0
    for count in np.load(directory / TABLE)[:, 0].astype(int).tolist():
        rows = data[at : at + 4 * count].view(np.int32)
        begin = at + codes_begin(count)
        codes = data[begin : begin + count * codec.stride].reshape(count, codec.stride)
        lists.append((rows, codec.decode(np.ascontiguousarray(codes))))
        at += pages_of(count, codec.stride) * PAGE
    assert at == len(data)
    return lists


def report(directory: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((directory / spann.FILE).read_text())
    return loaded


@pytest.mark.parametrize("codec", ["float32", "int8", "binary"])
def test_every_vector_is_in_lists_of_near_heads(tmp_path: Path, codec: str) -> None:
    vectors = clustered(3_000)
    options = storage(codec, head_share=0.05, replicas=3)
    lists = built(tmp_path, vectors, options)
    heads = Heads.open(tmp_path)
    assert len(heads) == len(lists) == 150
    entries = np.concatenate([rows for rows, _ in lists])
    counts = np.bincount(entries, minlength=len(vectors))
    assert counts.min() >= 1
    assert counts.max() <= 3
    nearest, _ = heads.nearest(vectors, 32)
    for number, (rows, decoded) in enumerate(lists):
        assert len(np.unique(rows)) == len(rows) > 0
        assert (nearest[rows] == number).any(axis=1).all()
        if codec == "float32":
            assert np.array_equal(decoded, vectors[rows])
    for row in range(0, len(vectors), 97):
        assert row in lists[nearest[row, 0]][0]


def test_report_describes_the_lists(tmp_path: Path) -> None:
    lists = built(tmp_path, clustered(2_000), storage(head_share=0.05, replicas=2))
    said = report(tmp_path)
    lengths = [len(rows) for rows, _ in lists]
    assert (said["rows"], said["heads"], said["replicas"]) == (2_000, 100, 2)
    assert sum(said["vectors_by_lists"].values()) == 2_000
    assert said["mean_replicas"] == pytest.approx(sum(lengths) / 2_000, abs=1e-3)
    assert said["lengths"]["p100"] == max(lengths)
    assert said["lengths"]["mean"] == pytest.approx(np.mean(lengths), abs=0.01)


def test_a_head_is_in_its_own_list(tmp_path: Path) -> None:
    vectors = clustered(2_000)
    lists = built(tmp_path, vectors, storage(head_share=0.05))
    directions = Heads.open(tmp_path)
    found = 0
    for row in range(len(vectors)):
        similar = directions.nearest(vectors[row : row + 1], 1)
        if similar[1][0, 0] > 1 - 1e-6:
            found += row in lists[similar[0][0, 0]][0]
    assert found >= 100


def test_epsilon_excludes_distant_lists(tmp_path: Path) -> None:
    vectors = clustered(2_000)
    for name in ("any", "near"):
        (tmp_path / name).mkdir()
    everywhere = built(tmp_path / "any", vectors, storage(head_share=0.05))
    nearby = built(tmp_path / "near", vectors, storage(head_share=0.05, epsilon=0.1))
    assert sum(len(r) for r, _ in nearby) < 0.8 * sum(len(r) for r, _ in everywhere)
    assert len(np.unique(np.concatenate([r for r, _ in nearby]))) == len(vectors)


def test_vectors_are_read_in_order_and_twice(tmp_path: Path) -> None:
    source = InOrder(clustered(5_000))
    spann.build(tmp_path, source, storage(), MEMORY, NoProgress())
    blocks = [pair for pair in source.reads if pair[1] - pair[0] > 1]
    half = next(i for i, pair in enumerate(blocks) if i and pair[0] == 0)
    for part in (blocks[:half], blocks[half:]):
        assert part[0][0] == 0
        assert part[-1][1] == 5_000
        assert all(one[1] == other[0] for one, other in itertools.pairwise(part))


@pytest.mark.parametrize("n", [1, 2, 3, 30])
@pytest.mark.parametrize("kind", ["different", "equal", "zero", "some zero"])
def test_small_and_degenerate_collections_are_built(tmp_path: Path, n: int, kind: str) -> None:
    vectors = clustered(n)
    if kind != "different":
        vectors[: n if kind != "some zero" else n // 2] = 0 if "zero" in kind else vectors[0]
    lists = built(tmp_path, vectors, storage(head_share=0.5))
    assert set(np.concatenate([rows for rows, _ in lists]).tolist()) == set(range(n))
    assert len(Heads.open(tmp_path)) == len(lists)


@given(
    arrays.arrays(
        np.int8, st.tuples(st.integers(1, 60), st.integers(1, 4)), elements=st.integers(-2, 2)
    ),
    st.sampled_from([0.01, 0.2, 0.5]),
    st.integers(1, 5),
    st.sampled_from([None, 0.0, 1.0]),
)
@settings(
    max_examples=scaled(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_every_vector_is_in_a_list(
    tmp_path_factory: pytest.TempPathFactory,
    raw: NDArray[np.int8],
    share: float,
    replicas: int,
    epsilon: float | None,
) -> None:
    directory = tmp_path_factory.mktemp("spann")
    lists = built(
        directory,
        raw.astype(np.float32),
        storage(head_share=share, replicas=replicas, epsilon=epsilon),
    )
    counts = np.bincount(np.concatenate([rows for rows, _ in lists]), minlength=len(raw))
    assert counts.min() >= 1
    assert counts.max() <= replicas


def test_vectors_of_different_lengths_are_built(tmp_path: Path) -> None:
    vectors = clustered(3_000)
    vectors *= np.random.default_rng(0).lognormal(0, 1, (3_000, 1)).astype(np.float32)
    lists = built(tmp_path, vectors, storage(head_share=0.05))
    assert len(np.unique(np.concatenate([rows for rows, _ in lists]))) == 3_000
    assert all(np.array_equal(decoded, vectors[rows]) for rows, decoded in lists)
    queries = clustered(200, seed=0)
    near, _ = Heads.open(tmp_path).nearest(queries, 30)
    truth = np.argsort(-(queries @ vectors.T), axis=1)[:, :10]
    reached = [
        np.isin(best, np.concatenate([lists[number][0] for number in numbers])).mean()
        for best, numbers in zip(truth, near, strict=True)
    ]
    assert np.mean(reached) > 0.8


def test_limiting_lists_loses_no_vector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spann_lists, "LIMIT_RATIO", 0.8)
    monkeypatch.setattr(spann_lists, "LEAST_LIMIT", 1)
    vectors = clustered(3_000)
    lists = built(tmp_path, vectors, storage(head_share=0.05))
    said = report(tmp_path)
    counts = np.bincount(np.concatenate([rows for rows, _ in lists]), minlength=3_000)
    assert counts.min() >= 1
    assert said["cut"] > 0
    nearest, _ = Heads.open(tmp_path).nearest(vectors, 1)
    own = np.bincount(nearest[:, 0], minlength=len(lists))
    for number, (rows, _) in enumerate(lists):
        assert len(rows) <= max(said["limit"], own[number])


def test_length_limit_is_a_multiple_of_the_mean() -> None:
    assert length_limit(1_000_000, 1_000) == LIMIT_RATIO * 1_000
    assert length_limit(10, 10) == 64


def test_sizes_follow_configuration_and_memory() -> None:
    assert head_count(1_000_000, 388, SpannConfig(head_share=0.1)) == 100_000
    assert head_count(1, 388, SpannConfig()) == 1
    # Default lists have about the same size for each codec, within bounds.
    assert head_count(1_000_000, 388, SpannConfig()) == pytest.approx(28_700, rel=0.01)
    assert head_count(1_000_000, 100_000, SpannConfig()) == 80_000
    assert head_count(1_000_000, 8, SpannConfig()) == 10_000
    assert sample_size(10**6, 384, 64 << 20) == (32 << 20) // (4 * 384)
    assert sample_size(10**6, 384, 4 << 30) == 10**6
    small, large = (sizes(10**6, 384, 388, 40_000, 4, m << 20) for m in (64, 4_096))
    assert small.block < large.block
    assert small.files > large.files


def test_spilled_entries_are_read_by_list(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    spill = Spill(tmp_path / "spill", 17, 5, 2)
    lists = np.argsort(rng.random((200, 17)), axis=1)[:, :3]
    lists[::3, 2] = -1
    distances = rng.random((200, 3), dtype=np.float32)
    codes = rng.integers(0, 255, (200, 2), dtype=np.uint8)
    for start in (0, 100):
        part = slice(start, start + 100)
        spill.append(start, lists[part], distances[part], codes[part])
    assert spill.bounds(0)[0] == 0
    assert spill.bounds(4)[1] == 17
    entries = np.concatenate([spill.read(file) for file in range(5)])
    rows, ranks = np.nonzero(lists >= 0)
    expected = sorted(
        zip(
            lists[rows, ranks].tolist(),
            ranks != 0,
            distances[rows, ranks].tolist(),
            rows.tolist(),
            strict=True,
        )
    )
    assert entries["list"].tolist() == [one[0] for one in expected]
    assert entries["row"].tolist() == [one[3] for one in expected]
    assert np.array_equal(entries["code"], codes[entries["row"]])


def test_scratch_files_are_truncated_to_a_checkpoint(tmp_path: Path) -> None:
    spill = Spill(tmp_path, 1, 1, 1)
    one = np.zeros((1, 1), np.int64), np.zeros((1, 1), np.float32), np.zeros((1, 1), np.uint8)
    spill.append(0, *one)
    known = spill.sync()
    spill.append(1, *one)
    spill.truncate(known)
    assert spill.read(0)["row"].tolist() == [0]
    assert is_complete(tmp_path, known)
    assert not is_complete(tmp_path, [10**6])
    assert not is_complete(tmp_path, [1, 1])
