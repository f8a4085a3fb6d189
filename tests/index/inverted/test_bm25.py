"""Lexical parts against a ten-line BM25, and against bm25s."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from math import log
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from twindex.core import InvalidInputError, Representation
from twindex.index import LexicalLeg
from twindex.index.inverted import dictionary as dictionary_module
from twindex.index.inverted import lexical_files
from twindex.index.inverted.lexical import LexicalSegment
from twindex.index.inverted.lexical_delta import LexicalDelta
from twindex.index.inverted.log import LogState, PostingsLog
from twindex.index.protocol import Mask, Ranking, TermStatistics

from .. import parts
from ..parts import alone_and_together, built, examples, files, mask, merged, same, seeds

LEG = LexicalLeg()
WORDS = ["a", "bee", "naïve", "東京", "🦉", "о", "o", "", "x" * 300, *(f"w{i}" for i in range(30))]

Counts = Mapping[str, int]
configs = st.sampled_from([LEG, LexicalLeg(k1=0, b=0), LexicalLeg(k1=2, b=1)])


def passages(rng: np.random.Generator, rows: int, words: int = 12) -> list[Counts]:
    """Random bags of words, some empty; the first words are the most frequent."""
    made: list[Counts] = []
    for _ in range(rows):
        drawn = np.minimum(rng.geometric(0.12, rng.integers(0, words)) - 1, len(WORDS) - 1)
        counts: dict[str, int] = {}
        for word in drawn.tolist():
            counts[WORDS[word]] = counts.get(WORDS[word], 0) + 1
        made.append(counts)
    return made


def bm25(
    documents: Sequence[Counts], query: Mapping[str, float], config: LexicalLeg
) -> NDArray[np.float64]:
    """Return the BM25 scores of Lucene's formula, computed from its definition."""
    lengths = [sum(document.values()) for document in documents]
    average = sum(lengths) / max(1, len(documents))
    scores = np.zeros(len(documents))
    for term, qtf in query.items():
        df = sum(term in document for document in documents)
        idf = log(1 + (len(documents) - df + 0.5) / (df + 0.5))
        for row, document in enumerate(documents):
            if tf := document.get(term, 0):
                norm = config.k1 * (1 - config.b + config.b * lengths[row] / average)
                scores[row] += qtf * idf * tf / (tf + norm)
    return scores


def check(ranking: Ranking, scores: NDArray[np.float64], k: int, allowed: Mask | None) -> None:
    """Assert that a ranking of one query matches these scores within float32 precision."""
    eligible = (scores > 0) if allowed is None else (scores > 0) & allowed
    count = min(k, int(eligible.sum()))
    rows, found = ranking.rows[0], ranking.scores[0]
    assert (rows[count:] == -1).all()
    assert np.isneginf(found[count:]).all()
    rows, found = rows[:count], found[:count]
    assert len(set(rows.tolist())) == count
    assert eligible[rows].all()
    np.testing.assert_allclose(found, scores[rows], rtol=1e-5)
    np.testing.assert_allclose(found, np.sort(scores[eligible])[::-1][:count], rtol=1e-5)
    assert sorted(zip(-found, rows, strict=True)) == list(zip(-found, rows, strict=True))


def segment(
    documents: Sequence[Counts], config: LexicalLeg = LEG
) -> AbstractContextManager[LexicalSegment]:
    return parts.segment(config, Representation(terms=documents))


def delta(*batches: Sequence[Counts], config: LexicalLeg = LEG) -> LexicalDelta:
    return parts.delta(config, *(Representation(terms=batch) for batch in batches))


@examples
@given(
    seed=seeds,
    rows=st.sampled_from([0, 1, 40, 700]),
    k=st.sampled_from([1, 10, 1000]),
    share=st.sampled_from([None, 0.0, 0.1, 0.7]),
    config=configs,
    weighted=st.booleans(),
)
def test_search_equals_the_formula(
    seed: int, rows: int, k: int, share: float | None, config: LexicalLeg, weighted: bool
) -> None:
    rng = np.random.default_rng(seed)
    documents = passages(rng, rows)
    query: Mapping[str, float] = passages(rng, 1, 8)[0] | {"unknown": 1}
    if weighted:  # As in an expanded query.
        query = {term: float(rng.uniform(0.01, 3)) for term in query}
    allowed = None if share is None else rng.random(rows) < share
    scores = bm25(documents, query, config)
    queries = Representation(terms=[query])
    everything = np.ones(rows, np.bool_)
    growing = delta(documents[: rows // 2], documents[rows // 2 :], config=config)
    with segment(documents, config) as part:
        ranking = part.search(queries, k, allowed)
        check(ranking, scores, k, allowed)
        # A filter does not change the statistics, and a delta returns the same bits.
        grown = growing.search(
            queries,
            k,
            everything if allowed is None else allowed,
            part.statistics(queries, None),
        )
        np.testing.assert_array_equal(ranking.rows, grown.rows)
        np.testing.assert_array_equal(ranking.scores, grown.scores)
        assert part.statistics(queries, None) == growing.statistics(queries, everything)


@examples
@given(seed=seeds, share=st.sampled_from([0.0, 0.5, 1.0]))
def test_statistics_of_parts_sum_to_those_of_live_passages(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    old, new = passages(rng, 60), passages(rng, 25)
    live_old, live_new = rng.random(60) < share, rng.random(25) < share
    kept = [d for d, live in zip(old + new, [*live_old, *live_new], strict=True) if live]
    query = passages(rng, 1, 8)[0]
    queries = Representation(terms=[query])
    growing = delta(new)
    with segment(old) as part, segment(kept) as whole:
        statistics = TermStatistics.total(
            [part.statistics(queries, live_old), growing.statistics(queries, live_new)]
        )
        assert statistics == whole.statistics(queries, None)
        scores = np.concatenate([bm25(kept, query, LEG)])
        parts = [
            part.search(queries, 100, live_old, statistics).scores[0],
            growing.search(queries, 100, live_new, statistics).scores[0],
        ]
        found = np.sort(np.concatenate(parts))[::-1]
        expected = np.sort(scores[scores > 0])[::-1]
        np.testing.assert_allclose(found[: len(expected)], expected, rtol=1e-5)
        assert np.isneginf(found[len(expected) :]).all()


def merged_and_built(
    temporary: str, sources: Sequence[tuple[Sequence[Counts], Mask | None]], memory: int
) -> tuple[Path, Path]:
    root = Path(temporary)
    kept = [p for part, live in sources for i, p in enumerate(part) if live is None or live[i]]
    built(root / "built", LEG, Representation(terms=kept))
    stored = [(Representation(terms=part), live) for part, live in sources]
    return merged(root, LEG, stored, memory), root / "built"


@examples
@given(
    seed=seeds,
    rows=st.lists(st.integers(0, 40), min_size=1, max_size=4),
    share=st.sampled_from([None, 0.0, 0.6]),
    memory=st.sampled_from([1, 5000, 1 << 24]),
)
def test_merge_equals_build(seed: int, rows: list[int], share: float | None, memory: int) -> None:
    rng = np.random.default_rng(seed)
    sources = [(passages(rng, count), mask(rng, count, share)) for count in rows]
    with TemporaryDirectory() as temporary:
        one, other = merged_and_built(temporary, sources, memory)
        assert files(one) == files(other)


def test_terms_with_equal_hashes_are_distinguished(monkeypatch: pytest.MonkeyPatch) -> None:
    def colliding(raw: bytes) -> int:
        return len(raw) % 2

    monkeypatch.setattr(dictionary_module, "hash_of", colliding)
    monkeypatch.setattr(lexical_files, "hash_of", colliding)
    rng = np.random.default_rng(2)
    documents = passages(rng, 80)
    with TemporaryDirectory() as temporary:
        halves = [(documents[:30], None), (documents[30:], None)]
        one, other = merged_and_built(temporary, halves, 1)
        assert files(one) == files(other)
        part = LexicalSegment.open(one, LEG)
        assert part.dictionary.find("missing") is None
        for query in passages(rng, 30, 8):
            ranking = part.search(Representation(terms=[query]), 20, None)
            check(ranking, bm25(documents, query, LEG), 20, None)


def test_more_than_65536_pairs_use_larger_codes() -> None:
    """Every passage has a different length, so there are 80,000 pairs of frequency and length."""
    frequencies = {f"w{i}": i + 1 for i in range(200)}
    documents: list[Counts] = [frequencies | {"extra": row + 1} for row in range(400)]
    query = {"w3": 1, "w150": 2, "extra": 1}
    with TemporaryDirectory() as temporary:
        halves = [(documents[:150], None), (documents[150:], None)]
        one, other = merged_and_built(temporary, halves, 1 << 20)
        assert files(one) == files(other)
        part = LexicalSegment.open(one, LEG)
        assert part.postings.values.dtype == np.uint32
        ranking = part.search(Representation(terms=[query]), 50, None)
        check(ranking, bm25(documents, query, LEG), 50, None)


def test_contributions_add_up_to_the_score() -> None:
    rng = np.random.default_rng(8)
    documents, query = passages(rng, 200), {"a": 2, "bee": 1, "東京": 1, "unknown": 3}
    queries = Representation(terms=[query])
    growing = delta(documents)
    with segment(documents) as part:
        statistics = part.statistics(queries, None)
        ranking = part.search(queries, 10, None, statistics)
        for row, score in zip(ranking.rows[0].tolist(), ranking.scores[0], strict=True):
            terms = part.explain(queries, row, statistics)
            assert {term.term for term in terms} == documents[row].keys() & query.keys()
            assert sum(term.score for term in terms) == pytest.approx(float(score), abs=1e-5)
            for term, other in zip(terms, growing.explain(queries, row, statistics), strict=True):
                assert term.score == pytest.approx(term.query * term.document)
                assert (term.term, term.query) == (other.term, other.query)
                assert term.score == pytest.approx(other.score)


@examples
@given(seed=seeds, rows=st.integers(1, 30))
def test_terms_returns_the_frequencies_of_a_row(seed: int, rows: int) -> None:
    documents = passages(np.random.default_rng(seed), rows)
    with segment(documents) as part:
        for some in (part, delta(documents)):
            for row, counts in enumerate(documents):
                terms = [(term.term, term.weight) for term in some.terms(row)]
                assert terms == sorted(counts.items(), key=lambda item: (-item[1], item[0]))


@examples
@given(seed=seeds, rows=st.integers(1, 30), share=st.sampled_from([None, 0.0, 0.5]))
def test_occurrences_are_the_sums_of_frequencies(seed: int, rows: int, share: float | None) -> None:
    rng = np.random.default_rng(seed)
    documents = passages(rng, rows)
    live = None if share is None else rng.random(rows) < share
    counted = [one for row, one in enumerate(documents) if live is None or live[row]]
    expected = {word: sum(one.get(word, 0) for one in counted) for word in [*WORDS, "unknown"]}
    with segment(documents) as part:
        for some in (part, delta(documents)):
            assert some.occurrences([*WORDS, "unknown"], live) == expected


def test_concurrent_searches_return_equal_results() -> None:
    rng = np.random.default_rng(9)
    queries = [Representation(terms=passages(rng, 2, 8)) for _ in range(50)]
    with segment(passages(rng, 900)) as a, segment(passages(rng, 3000)) as b:
        for one, other in alone_and_together((a, b), queries, 20, None):
            same(one, other)


@examples
@given(seed=seeds)
def test_packed_rows_unpack_exactly(seed: int) -> None:
    documents = passages(np.random.default_rng(seed), 10)
    unpacked = LexicalDelta.unpack(LexicalDelta.pack(Representation(terms=documents))).terms
    assert unpacked is not None
    assert [list(counts.items()) for counts in unpacked] == [
        list(counts.items()) for counts in documents
    ]
    kept = delta(documents[:4], unpacked[4:]).rows(np.array([7, 0, 3])).terms
    assert kept == [documents[7], documents[0], documents[3]]


@pytest.mark.parametrize(
    "packed",
    [b"[]", b"{", b'{"a":-1}', b'{"a":0}', b'{"a":1.5}', b'{"a":"b"}', b'{"a":2147483648}'],
)
def test_damaged_rows_of_a_delta_are_rejected(packed: bytes) -> None:
    with pytest.raises(ValueError, match=r"stored passage|expected|unexpected"):
        LexicalDelta.unpack([b'{"a":1}', packed])


def test_each_method_of_a_delta_reads_the_state_once() -> None:
    """Rows appended during a call must not mix with the state read at its start."""
    documents = passages(np.random.default_rng(10), 30)
    queries = Representation(terms=[{"a": 1, "bee": 2}])
    part = delta(documents)
    log, readings = part._log, []

    class Counting:
        @property
        def state(self) -> LogState:
            readings.append(None)
            return log.state

    part._log = cast(PostingsLog, Counting())
    for number, method in enumerate(
        (
            lambda: part.search(queries, 3, None),
            lambda: part.statistics(queries, None),
            lambda: part.explain(queries, 0),
            lambda: part.rows(np.array([1, 2])),
        ),
        start=1,
    ):
        method()
        assert len(readings) == number


def test_searches_without_matches_are_empty() -> None:
    with segment([{}, {}]) as part:
        ranking = part.search(Representation(terms=[{"a": 1}, {}]), 2, None)
        assert (ranking.rows == -1).all()
        with pytest.raises(InvalidInputError, match="terms"):
            part.search(Representation(), 2, None)


def read_json_lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_scores_equal_bm25s_after_updates(shared_data: Path) -> None:
    """SciFact in two segments and a delta with a tenth deleted, against bm25s on the rest."""
    bm25s = pytest.importorskip("bm25s")
    lexical = pytest.importorskip("twindex.encoders.lexical.encoder")
    folder = shared_data / "scifact"
    corpus = read_json_lines(folder / "corpus.jsonl")
    texts = [f"{document['title']} {document['text']}" for document in corpus[:3000]]
    query_texts = [query["text"] for query in read_json_lines(folder / "queries.jsonl")]
    encoder = lexical.LexicalEncoder()
    documents = encoder.encode(texts, role="document").terms
    rng = np.random.default_rng(0)
    stored = [documents[:1000], documents[1000:2200], documents[2200:]]
    live = [rng.random(len(part)) < 0.9 for part in stored]
    kept = [p[row] for p, mask in zip(stored, live, strict=True) for row in np.flatnonzero(mask)]

    vocabulary = {term: number for number, term in enumerate(sorted({t for c in kept for t in c}))}
    numbers = [
        [vocabulary[term] for term, n in counts.items() for _ in range(n)] for counts in kept
    ]
    peer = bm25s.BM25(method="lucene", k1=LEG.k1, b=LEG.b)
    peer.index((numbers, vocabulary), show_progress=False)

    growing = delta(stored[2])
    with segment(stored[0]) as first, segment(stored[1]) as second:
        parts = [first, second, growing]
        for counts in encoder.encode(query_texts[:100], role="query").terms:
            queries = Representation(terms=[counts])
            statistics = TermStatistics.total(
                [part.statistics(queries, mask) for part, mask in zip(parts, live, strict=True)]
            )
            ours = np.zeros(len(kept), dtype=np.float32)
            begin = 0
            for part, mask in zip(parts, live, strict=True):
                ranking = part.search(queries, len(mask), mask, statistics)
                places = begin + np.cumsum(mask) - 1
                found = ranking.rows[0] >= 0
                ours[places[ranking.rows[0][found]]] = ranking.scores[0][found]
                begin += int(mask.sum())
            tokens = [vocabulary[t] for t, n in counts.items() if t in vocabulary for _ in range(n)]
            theirs = peer.get_scores_from_ids(tokens) if tokens else np.zeros(len(kept))
            np.testing.assert_allclose(ours, theirs, atol=1e-4)
