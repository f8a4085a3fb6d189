"""Searches of lists on disk, against brute force over their entries."""

import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twindex.core import CorruptFileError
from twindex.index import Int8Codec, ScalarCodec
from twindex.index.codecs import Codec
from twindex.index.structures.spann import search as search_module
from twindex.index.structures.spann.heads import Heads
from twindex.index.structures.spann.postings import PostingsWriter
from twindex.index.structures.spann.reading import Postings
from twindex.index.structures.spann.search import Searcher

from ...house import scaled

CODECS = {"float32": ScalarCodec(), "int8": Int8Codec(), "binary": ScalarCodec(kind="binary")}


@dataclass
class Made:
    """Random vectors in random lists."""

    searcher: Searcher
    vectors: np.ndarray
    members: list[np.ndarray]
    codec: Codec

    def brute(
        self, query: np.ndarray, k: int, nprobe: int, allowed: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return rows and scores by comparing every vector."""
        lists, _ = self.searcher.heads.nearest(query[None], nprobe)
        rows = np.unique(np.concatenate([self.members[number] for number in lists[0]]))
        if allowed is not None:
            rows = rows[allowed[rows]]
        scores = self.codec.score(query[None], self.codec.encode(self.vectors[rows]))[0]
        order = np.lexsort((rows, -scores))[:k]
        return rows[order], scores[order]


def make(directory: Path, rows: int, lists: int, codec: str = "float32", seed: int = 0) -> Made:
    """Write an index with each row in 1 to 3 lists and an empty last list."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((rows, 24)).astype(np.float32)
    heads = rng.standard_normal((lists, 24)).astype(np.float32)
    homes = [rng.choice(max(1, lists - 1), rng.integers(1, 4)) for _ in range(rows)]
    members = [
        np.array([row for row in range(rows) if number in homes[row]], dtype=np.int32)
        for number in range(lists)
    ]
    fitted = CODECS[codec].fit(vectors)
    with PostingsWriter(directory, fitted.stride) as writer:
        for rows_of in members:
            shuffled = rng.permutation(rows_of)
            writer.append(shuffled, fitted.encode(vectors[shuffled]))
    searcher = Searcher(Heads.build(heads, 0), Postings(directory, fitted.stride), fitted, rows)
    return Made(searcher, vectors, members, fitted)


def some_queries(number: int, seed: int = 9) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((number, 24)).astype(np.float32)


@settings(max_examples=scaled(40), deadline=None)
@given(
    rows=st.integers(1, 300),
    lists=st.integers(1, 20),
    k=st.integers(1, 40),
    nprobe=st.integers(1, 25),
    share=st.sampled_from([None, 0.0, 0.1, 0.7]),
    codec=st.sampled_from(sorted(CODECS)),
    seed=st.integers(0, 1000),
)
def test_search_equals_brute_force_over_the_nearest_lists(
    tmp_path_factory: pytest.TempPathFactory,
    rows: int,
    lists: int,
    k: int,
    nprobe: int,
    share: float | None,
    codec: str,
    seed: int,
) -> None:
    made = make(tmp_path_factory.mktemp("spann"), rows, lists, codec, seed)
    allowed = None if share is None else np.random.default_rng(seed).random(rows) < share
    queries = some_queries(3, seed)
    ranking = made.searcher.search(queries, k, nprobe, allowed)
    assert ranking.rows.shape == ranking.scores.shape == (3, k)
    assert ranking.rows.dtype == np.int64
    assert ranking.scores.dtype == np.float32
    for query, found, scores in zip(queries, ranking.rows, ranking.scores, strict=True):
        best, best_scores = made.brute(query, k, min(nprobe, lists), allowed)
        assert np.allclose(scores[: len(best)], best_scores, atol=1e-5)
        assert (found[len(best) :] == -1).all()
        assert np.isneginf(scores[len(best) :]).all()
        assert len(set(found[: len(best)].tolist())) == len(best)
        if codec == "float32":  # Scores of other codes may differ only by rounding.
            assert np.array_equal(found[: len(best)], best)


def test_searching_all_lists_is_exact(tmp_path: Path) -> None:
    made = make(tmp_path, 500, 40)
    queries = some_queries(5)
    ranking = made.searcher.search(queries, 500, 40, None)
    assert np.array_equal(np.sort(ranking.rows, axis=1), np.tile(np.arange(500), (5, 1)))
    products = queries @ made.vectors.T
    assert np.array_equal(ranking.rows, np.argsort(-products, axis=1))
    assert np.allclose(ranking.scores, -np.sort(-products, axis=1), atol=1e-5)


def test_equal_scores_are_ordered_by_row(tmp_path: Path) -> None:
    vectors = np.ones((50, 24), np.float32)
    codec = ScalarCodec().fit(vectors)
    shuffled = np.random.default_rng(0).permutation(50).astype(np.int32)
    with PostingsWriter(tmp_path, codec.stride) as writer:
        writer.append(shuffled, codec.encode(vectors))
    searcher = Searcher(Heads.build(vectors[:1], 0), Postings(tmp_path, codec.stride), codec, 50)
    assert searcher.search(vectors[:1], 7, 1, None).rows.tolist() == [list(range(7))]


@pytest.mark.parametrize("codec", sorted(CODECS))
def test_results_do_not_depend_on_pieces_and_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codec: str
) -> None:
    made = make(tmp_path, 400, 30, codec)
    queries = some_queries(40)
    whole = made.searcher.search(queries, 12, 9, None)
    singles = [made.searcher.search(query[None], 12, 9, None) for query in queries]
    monkeypatch.setattr(search_module, "PIECE", 10_000)
    monkeypatch.setattr(search_module, "GROUP", 20_000)
    parts = made.searcher.search(queries, 12, 9, None)
    for other in (np.concatenate([single.rows for single in singles]), parts.rows):
        assert np.array_equal(whole.rows, other)
    assert np.array_equal(whole.scores, parts.scores)


def test_a_batch_reads_each_list_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make(tmp_path, 400, 30)
    read: list[int] = []
    really = Postings._extents

    def noted(self: Postings, lists: np.ndarray) -> list[tuple[int, int]]:
        read.extend(lists.tolist())
        return really(self, lists)

    monkeypatch.setattr(Postings, "_extents", noted)
    made.searcher.search(some_queries(50), 12, 9, None)
    assert len(read) == len(set(read)) <= 30


def test_concurrent_searches_return_equal_results(tmp_path: Path) -> None:
    made = make(tmp_path, 2000, 50, "int8")
    queries = some_queries(40)
    expected = made.searcher.search(queries, 10, 6, None)
    found: dict[int, list[np.ndarray]] = {}

    def work(number: int) -> None:
        found[number] = [made.searcher.search(query[None], 10, 6, None).rows for query in queries]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for rows in found.values():
        assert np.array_equal(np.concatenate(rows), expected.rows)


def test_an_invalid_row_number_is_reported_with_its_list(tmp_path: Path) -> None:
    made = make(tmp_path, 300, 10)
    smaller = Searcher(made.searcher.heads, made.searcher.postings, made.codec, 100)
    with pytest.raises(CorruptFileError, match="list 0 has row numbers outside 0 to 99"):
        smaller.search(some_queries(1), 10, 10, np.ones(100, dtype=bool))


def test_a_search_without_queries_is_empty(tmp_path: Path) -> None:
    made = make(tmp_path, 100, 10)
    for nprobe in (2, 10):
        assert made.searcher.search(some_queries(0), 5, nprobe, None).rows.shape == (0, 5)
