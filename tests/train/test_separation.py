"""Separation of test and training queries, compared with brute force on a real data set."""

from __future__ import annotations

import pytest

from twindex.core import InvalidInputError, Query
from twindex.sources import read_qrels, read_queries
from twindex.train.separation import separate


def trigrams(text):
    folded = " ".join(text.lower().split())
    return {folded[i : i + 3] for i in range(max(1, len(folded) - 2))}


@pytest.mark.slow
def test_scifact_has_102_clean_queries(shared_data):
    folder = shared_data / "scifact"
    queries = read_queries(folder / "queries.jsonl")
    test, train = read_qrels(folder / "qrels" / "test.tsv"), read_qrels(folder / "qrels/train.tsv")
    tested = [query for query in queries if query.id in test]
    found = separate(tested, test, queries, train)
    assert (len(tested), len(found.sharing), len(found.clean)) == (300, 196, 102)

    gold = {name for grades in train.values() for name, grade in grades.items() if grade > 0}
    seen = [trigrams(query.text) for query in queries if query.id in train]
    sharing = [q.id for q in tested if gold & {d for d, grade in test[q.id].items() if grade > 0}]
    copying = [
        query.id
        for query in tested
        for own in [trigrams(query.text)]
        if any(len(own & other) / len(own | other) >= 0.5 for other in seen)
    ]
    assert (found.sharing, found.copying) == (sharing, copying)
    assert [q.id for q in found.clean] == [q.id for q in tested if q.id not in {*sharing, *copying}]


def test_shared_document_or_near_copy_is_enough():
    train = [Query("a", "Birds cannot fly."), Query("unjudged", "The sea is deep.")]
    test = [
        Query("copy", "birds  CANNOT fly"),
        Query("gold", "something else"),
        Query("clean", "the sea is deep"),
        Query("wrong", "another matter"),
    ]
    qrels = {"copy": {"d9": 1}, "gold": {"d1": 1}, "clean": {"d8": 1}, "wrong": {"d1": 0, "d7": 1}}
    found = separate(test, qrels, train, {"a": {"d1": 1, "d7": 0}})
    assert (found.sharing, found.copying) == (["gold"], ["copy"])
    assert [query.id for query in found.clean] == ["clean", "wrong"]
    with pytest.raises(InvalidInputError, match="at most 1, got 2"):
        separate(test, qrels, train, {}, near=2)
