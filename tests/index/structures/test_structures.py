"""The ivf and hnsw indexes for each codec, against all inner products in numpy."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from pathlib import Path

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from twindex.core import ConfigError, NoProgress
from twindex.index import VectorStorage
from twindex.index.protocol import Mask
from twindex.index.structures.graph.graph import HnswGraph
from twindex.index.structures.ivf.coarse import FAST_FROM, list_count
from twindex.index.structures.ivf.ivf import IvfLists
from twindex.index.structures.protocol import STRUCTURES, Structure, codecs_of

from .sources import Counter, Source

Vectors = NDArray[np.float32]
ROWS, WIDTH, K = 3_000, 32, 10
CLASSES: dict[str, type[Structure]] = {"ivf": IvfLists, "hnsw": HnswGraph}
KINDS = [(index, codec) for index in CLASSES for codec in codecs_of(STRUCTURES[index])]
MEMORY = 1 << 20
each_kind = pytest.mark.parametrize(
    ("index", "codec"),
    [  # float16 and bfloat16 differ in `decode` only, so the quick tests try them with IVF.
        pytest.param(
            index, codec, marks=[pytest.mark.slow] * (index == "hnsw" and codec.endswith("float16"))
        )
        for index, codec in KINDS
    ],
)


def clustered(rows: int, seed: int, width: int = WIDTH) -> Vectors:
    """Return vectors around 60 centres, of lengths from 0.8 to 1.2."""
    shared = np.random.default_rng(0)
    centres = shared.standard_normal((60, width))
    rng = np.random.default_rng(seed)
    made = centres[rng.integers(0, 60, rows)] + 0.7 * rng.standard_normal((rows, width))
    lengths = rng.uniform(0.8, 1.2, (rows, 1))
    return (lengths * made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


VECTORS, QUERIES = clustered(ROWS, 1), clustered(50, 2)


def stored(index: str, codec: str | None = None, **more: object) -> VectorStorage:
    value = {"index": {"kind": index, **({"lists": 300} if index == "ivf" else {})}, **more}
    return VectorStorage.parse(value if codec is None else {**value, "codec": {"kind": codec}})


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Structure]:
    """Build each structure once, for tests that only read."""

    @cache
    def made(index: str, codec: str) -> Structure:
        return built(tmp_path_factory.mktemp("shared"), stored(index, codec))

    return made


def built(directory: Path, storage: VectorStorage, vectors: Vectors = VECTORS) -> Structure:
    directory.mkdir(exist_ok=True)
    kind = CLASSES[storage.index.kind]
    kind.build(directory, Source(vectors), storage, MEMORY, NoProgress())
    return kind.open(directory, storage)


def recall(found: NDArray[np.int64], allowed: Mask | None = None) -> float:
    """Return the share of the true K nearest among the candidates."""
    scores = QUERIES @ VECTORS.T
    if allowed is not None:
        scores[:, ~allowed] = -np.inf
    true = np.argsort(-scores, axis=1)[:, :K]
    return float(np.mean([np.isin(t, f).mean() for t, f in zip(true, found, strict=True)]))


@each_kind
def test_search_has_high_recall_and_read_decodes(
    index: str, codec: str, shared: Callable[[str, str], Structure]
) -> None:
    storage = stored(index, codec)
    structure = shared(index, codec)
    assert len(structure) == ROWS
    ladder = structure.ladder()
    keys = ["nprobe" if index == "ivf" else "ef", *([] if storage.lossless else ["oversample"])]
    assert all(list(rung) == keys for rung in ladder)
    times = ladder[-1].get("oversample", 1)
    found = structure.search(QUERIES, K * times, ladder[-1], None)
    assert found.rows.shape == found.scores.shape == (len(QUERIES), K * times)
    assert (found.rows.dtype, found.scores.dtype) == (np.int64, np.float32)
    assert (np.diff(found.scores, axis=1) <= 0).all()
    assert recall(found.rows) > (0.9 if codec == "rabitq" else 0.99)
    # Scores are inner products with the decoded vectors.
    decoded = structure.read(0, ROWS)
    assert decoded.shape == VECTORS.shape
    np.testing.assert_array_equal(structure.read(100, 164), decoded[100:164])
    assert structure.read(7, 7).shape == (0, WIDTH)
    if codec != "rabitq":  # Its scores are estimates, not those of decoded vectors.
        loss = np.linalg.norm(decoded - VECTORS) / np.linalg.norm(VECTORS)
        assert loss <= {"float32": 0, "pq": 0.35, "int4": 0.15}.get(codec, 0.01)
        expected = np.einsum("qd,qkd->qk", QUERIES, decoded[found.rows[:, :K]])
        # FastScan tables have 8 bits, and queries are rounded to bfloat16.
        rough = {"pq": 0.05, "bfloat16": 0.005}.get(codec, 1e-4)
        np.testing.assert_allclose(found.scores[:, :K], expected, atol=rough)
    # Single queries, batches and threads give equal results.
    with ThreadPoolExecutor(4) as pool:
        alone = pool.map(lambda q: structure.search(q[None], K, ladder[3], None).rows[0], QUERIES)
        batch = structure.search(QUERIES, K, ladder[3], None).rows
        assert np.mean(np.stack(list(alone)) == batch) > 0.98  # Tied rows may be in any order.
    assert structure.memory >= ROWS * WIDTH / 8
    assert structure.cost(ladder[0], K) < structure.cost(ladder[-1], K)
    exact = structure.exact_vectors
    assert (exact is not None) == ((index, codec) == ("hnsw", "float32"))
    if exact is not None:
        np.testing.assert_array_equal(exact, VECTORS)


@each_kind
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5])
def test_filtered_searches_return_allowed_rows(
    index: str, codec: str, share: float, shared: Callable[[str, str], Structure]
) -> None:
    allowed = np.random.default_rng(5).random(ROWS) < share
    structure = shared(index, codec)
    rung = structure.ladder()[-1]
    found = structure.search(QUERIES, K * 8, rung, allowed)
    assert allowed[found.rows[found.rows >= 0]].all()
    assert np.isneginf(found.scores[found.rows < 0]).all()
    if share:
        assert recall(found.rows, allowed) > (0.9 if codec == "rabitq" else 0.98)
    else:
        assert (found.rows == -1).all()


@pytest.mark.parametrize("index", CLASSES)
def test_more_expensive_settings_increase_recall(index: str, tmp_path: Path) -> None:
    structure = built(tmp_path, stored(index))
    levels = [
        recall(structure.search(QUERIES, K * rung.get("oversample", 1), rung, None).rows)
        for rung in structure.ladder()
        if rung.get("oversample", 4) >= 4
    ]
    assert levels[0] < levels[-1]
    assert all(later >= earlier - 0.05 for earlier, later in pairwise(levels))


@pytest.mark.parametrize("index", CLASSES)
def test_few_vectors_and_odd_widths_are_supported(index: str, tmp_path: Path) -> None:
    for rows, width in ((1, 3), (20, 7), (700, 5)):
        vectors = clustered(rows, 3, width)
        more = {"index": {"kind": index}}
        structure = built(tmp_path / f"{rows}", VectorStorage.parse(more), vectors)
        found = structure.search(vectors[:1], 30, structure.ladder()[-1], None)
        rows_found = found.rows[0][found.rows[0] >= 0]
        assert len(rows_found) == len(np.unique(rows_found)) == min(30, rows)


def test_builds_read_within_memory_and_report_progress(tmp_path: Path) -> None:
    for index, kind in CLASSES.items():
        (tmp_path / index).mkdir()
        source, progress = Source(VECTORS), Counter()
        storage = stored(index, "int8")
        kind.build(tmp_path / index, source, storage, 1 << 17, progress)
        assert progress.done == ROWS
        assert max(stop - start for start, stop in source.reads) * 4 * WIDTH <= 1 << 17
        (file,) = (tmp_path / index).iterdir()
        sample = 4 * WIDTH * ROWS
        held = kind.building_bytes(ROWS, WIDTH, storage)
        assert file.stat().st_size < held < 2 * file.stat().st_size + sample


@pytest.mark.parametrize("codec", ["pq", "int4"])
def test_without_originals_lengths_are_stored(codec: str, tmp_path: Path) -> None:
    structure = built(tmp_path, stored("ivf", codec, originals="none"))
    lengths = np.linalg.norm(structure.read(5, ROWS), axis=1)
    np.testing.assert_allclose(lengths, np.linalg.norm(VECTORS[5:], axis=1), rtol=1e-4)
    assert list(structure.ladder()[0]) == ["nprobe"]
    np.save(tmp_path / "lengths.npy", np.ones(7, np.float32))
    with pytest.raises(ValueError, match="must have 3000 lengths, got 7"):
        IvfLists.open(tmp_path, stored("ivf", codec, originals="none"))


def test_builds_of_lists_are_reproducible(tmp_path: Path) -> None:
    files = []
    for name in "ab":
        built(tmp_path / name, stored("ivf"))
        files.append((tmp_path / name / "ivf.faiss").read_bytes())
    assert files[0] == files[1]


def test_number_of_lists_grows_with_the_square_root() -> None:
    assert list_count(0, None) == 1
    assert list_count(10, 300) == 10
    assert list_count(10_000, None) == 400
    assert list_count(1_000_000, None) == 4_000
    assert FAST_FROM < 300  # The tests above therefore use both quantizers.


@pytest.mark.parametrize(
    ("codec", "least"),
    [
        ({"kind": "pq", "bits": 8}, 0.98),
        ({"kind": "pq", "subquantizers": 8}, 0.7),
        ({"kind": "rabitq", "bits": 4}, 0.98),
        ({"kind": "int8", "scope": "global"}, 0.99),
    ],
)
def test_codec_options_are_supported(
    codec: dict[str, object], least: float, tmp_path: Path
) -> None:
    storage = VectorStorage.parse({"index": {"kind": "ivf", "lists": 20}, "codec": codec})
    structure = built(tmp_path, storage)
    assert recall(structure.search(QUERIES, 4 * K, structure.ladder()[-1], None).rows) > least


def test_pieces_must_divide_a_vector(tmp_path: Path) -> None:
    storage = VectorStorage.parse(
        {"index": {"kind": "ivf"}, "codec": {"kind": "pq", "subquantizers": 5}}
    )
    with pytest.raises(
        ConfigError,
        match=r"codec.subquantizers: vectors of 32 dimensions cannot be cut into 5 equal",
    ):
        IvfLists.build(tmp_path, Source(VECTORS), storage, MEMORY, NoProgress())


@pytest.mark.parametrize(("index", "codec"), [("ivf", "pq"), ("hnsw", "float32"), ("hnsw", "int8")])
def test_damaged_files_are_rejected(index: str, codec: str, tmp_path: Path) -> None:
    storage, kind = stored(index, codec), CLASSES[index]
    with pytest.raises(OSError, match="cannot read"):
        kind.open(tmp_path, storage)
    built(tmp_path, storage)
    file = next(tmp_path.iterdir())
    whole = file.read_bytes()
    for damaged in (b"", whole[:3], whole[:60], whole[: len(whole) // 2], b"abcd" + whole[4:]):
        file.write_bytes(damaged)
        with pytest.raises((OSError, ValueError)):
            kind.open(tmp_path, storage)
    faiss.write_index(faiss.IndexFlatIP(4), str(file))
    with pytest.raises(ValueError, match="must be an"):
        kind.open(tmp_path, storage)


@pytest.mark.parametrize("codec", ["pq", "int8"])
@pytest.mark.parametrize("row", [-1, ROWS, 0])
def test_lists_with_invalid_or_missing_rows_are_rejected(
    codec: str, row: int, tmp_path: Path
) -> None:
    storage = stored("ivf", codec)
    built(tmp_path, storage)
    file = next(tmp_path.iterdir())
    lists = faiss.read_index(str(file))
    for number in range(lists.nlist):
        size = lists.invlists.list_size(number)
        if size:
            rows = faiss.rev_swig_ptr(lists.invlists.get_ids(number), size)
            rows[rows == 7] = row  # Row 7 is in no list then.
    faiss.write_index(lists, str(file))
    with pytest.raises(ValueError, match=r"must be from 0 to 2999, got|row 7 is in no list"):
        IvfLists.open(tmp_path, storage)


def test_faiss_is_imported_only_when_needed() -> None:
    code = (
        "import sys, twindex.index.structures.ivf.ivf, twindex.index.structures.graph.graph;"
        "assert 'faiss' not in sys.modules and 'scann' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
