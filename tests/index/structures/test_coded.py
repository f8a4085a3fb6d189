"""Flat indexes over codes, against numpy."""

from __future__ import annotations

import numpy as np
import pytest

from twindex.core import NoProgress
from twindex.index import VectorStorage
from twindex.index.codecs.files import CODEC
from twindex.index.structures import exact
from twindex.index.structures.codes import CODES
from twindex.index.structures.flat.coded import CodedFlat, FaissFlat

from .sources import Counter, Source


def storage(kind, **fields):
    return VectorStorage.parse({"index": {"kind": "flat"}, "codec": {"kind": kind}, **fields})


def vectors(n=2000, width=16, seed=0):
    return np.random.default_rng(seed).standard_normal((n, width)).astype(np.float32)


@pytest.fixture(params=["float16", "float8_e4m3", "int8", "int4", "binary"])
def built(request, tmp_path):
    config = storage(request.param)
    CodedFlat.build(tmp_path, Source(vectors()), config, 1 << 20, NoProgress())
    return CodedFlat.open(tmp_path, config)


def reference(index, queries, k, allowed):
    scores = queries @ index.read(0, len(index)).T
    scores[:, ~allowed] = -np.inf
    return -np.sort(-scores, axis=1)[:, :k]


@pytest.mark.parametrize("queries", [1, 9])
@pytest.mark.parametrize("share", [1.0, 0.6, 0.1, 0.002, 0])
def test_search_finds_the_best_codes(built, queries, share, monkeypatch):
    monkeypatch.setattr(exact, "BLOCK_ROWS", 300)
    monkeypatch.setattr(exact, "QUERY_GROUP", 5)
    wanted = vectors(n=queries, seed=1)
    allowed = np.random.default_rng(2).random(len(built)) < share
    found = built.search(wanted, 10, {}, None if share == 1 else allowed)
    expected = reference(built, wanted, 10, allowed)
    np.testing.assert_allclose(found.scores, expected, rtol=1e-3, atol=1e-3)
    none = found.rows < 0
    np.testing.assert_array_equal(none, np.isinf(expected))
    assert allowed[found.rows[~none]].all()
    for rows in found.rows:
        real = rows[rows >= 0]
        assert len(set(real)) == len(real)


def test_ties_are_ordered_by_row(tmp_path):
    config = storage("int8")
    same = np.repeat(vectors(n=1), 50, axis=0)
    CodedFlat.build(tmp_path, Source(same), config, 1 << 20, NoProgress())
    found = CodedFlat.open(tmp_path, config).search(same[:1], 5, {}, None)
    assert found.rows.tolist() == [[0, 1, 2, 3, 4]]


def test_files_do_not_depend_on_the_memory_limit(tmp_path):
    config, progress = storage("int4"), Counter()
    for memory in (1, 1 << 30):
        (tmp_path / str(memory)).mkdir()
        CodedFlat.build(tmp_path / str(memory), Source(vectors()), config, memory, progress)
    for name in (CODES, CODEC):
        one, two = [(tmp_path / str(memory) / name).read_bytes() for memory in (1, 1 << 30)]
        assert one == two
    assert progress.done == 2 * 2000


def test_oversampling_is_offered_only_with_originals(built, tmp_path):
    assert [level["oversample"] for level in built.ladder()] == [1, 2, 4, 8, 16, 32]
    alone = CodedFlat.open(tmp_path, storage(built._codec.kind, originals="none"))
    assert list(alone.ladder()) == [{}]
    costs = [built.cost(level, 10) for level in built.ladder()]
    assert costs == sorted(costs)
    assert costs[0] < len(built)
    assert built.memory == built._codes.array.nbytes


def test_read_returns_decoded_vectors(built):
    left = built.read(10, 20)
    assert left.shape == (10, 16)
    cosine = (left * vectors()[10:20]).sum(1) / np.linalg.norm(left, axis=1)
    assert (cosine / np.linalg.norm(vectors()[10:20], axis=1) > 0.6).all()


def test_damaged_files_are_rejected(tmp_path):
    config = storage("int8")
    CodedFlat.build(tmp_path, Source(vectors()), config, 1 << 20, NoProgress())
    with pytest.raises(ValueError, match="must be 'int4', got"):
        CodedFlat.open(tmp_path, storage("int4"))
    np.save(tmp_path / CODES, np.zeros((5, 3), np.uint8))
    with pytest.raises(ValueError, match=r"bytes, got 3$"):
        CodedFlat.open(tmp_path, config)
    (tmp_path / CODES).unlink()
    with pytest.raises(OSError, match=r"codes\.npy"):
        CodedFlat.open(tmp_path, config)


FAISS_CODECS = [{"kind": "pq"}, {"kind": "pq", "bits": 8}, {"kind": "rabitq", "bits": 4}]


@pytest.fixture(scope="module", params=FAISS_CODECS, ids=str)
def by_faiss(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("faiss")
    config = VectorStorage.parse({"index": {"kind": "flat"}, "codec": request.param})
    FaissFlat.build(folder, Source(vectors(n=3000, width=32)), config, 1 << 26, NoProgress())
    return FaissFlat.open(folder, config)


@pytest.mark.parametrize("share", [1.0, 0.3, 0.0005, 0])
def test_faiss_finds_most_of_the_best_among_the_allowed(by_faiss, share):
    wanted, sample = vectors(n=20, width=32, seed=1), vectors(n=3000, width=32)
    allowed = np.random.default_rng(2).random(len(sample)) < share
    found = by_faiss.search(wanted, 40, {"oversample": 4}, None if share == 1 else allowed)
    exact = np.where(allowed, wanted @ sample.T, -np.inf)
    real = min(10, np.count_nonzero(allowed))
    for rows, scores, products in zip(found.rows, found.scores, exact, strict=True):
        kept = rows[rows >= 0]
        assert len(set(kept)) == len(kept) == min(40, np.count_nonzero(allowed))
        assert allowed[kept].all()
        assert np.isneginf(scores[rows < 0]).all()
        assert len(set(kept) & set(np.argsort(-products)[:real])) >= 0.6 * real


def test_faiss_flat_compares_every_vector_and_rescores(by_faiss):
    assert len(by_faiss) == 3000
    assert [level["oversample"] for level in by_faiss.ladder()] == [1, 2, 4, 8, 16, 32]
    assert by_faiss.cost({"oversample": 1}, 10) < len(by_faiss)
    assert by_faiss.exact_vectors is None
    assert by_faiss.memory >= 3000 * 4


def test_faiss_flat_decodes_vectors_and_rejects_damaged_files(tmp_path):
    config, sample = storage("pq"), vectors(n=2000, width=32)
    FaissFlat.build(tmp_path, Source(sample), config, 1 << 26, NoProgress())
    left = FaissFlat.open(tmp_path, config).read(100, 200)
    cosine = (left * sample[100:200]).sum(1) / np.linalg.norm(left, axis=1)
    assert (cosine / np.linalg.norm(sample[100:200], axis=1)).mean() > 0.8
    (file,) = tmp_path.glob("*.faiss")
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(OSError, match=r"FAISS cannot read .*: expected a complete"):
        FaissFlat.open(tmp_path, config)
