"""Contributions of legs to a fused score."""

from __future__ import annotations

from typing import get_args

import pytest

from twindex.core.filters import BOOLEAN, NUMBER, STRING
from twindex.index import CollectionConfig
from twindex.search import Collection, Fusion, SearchRequest

METHODS = get_args(Fusion.model_fields["method"].annotation)
LEGS = {
    "dense": {"kind": "dense", "encoder": {"kind": "dense", "model": "fake"}},
    "sparse": {"kind": "sparse", "encoder": {"kind": "sparse", "model": "fake"}},
    "lexical": {"kind": "lexical"},
}
WORDS = ["kiwi", "emu", "fly", "runs", "bird", "sea", "gull", "swift", "sleep", "number"]


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    path = tmp_path_factory.mktemp("legs") / "c"
    with Collection.create(path, CollectionConfig.parse({"legs": LEGS})) as collection:
        collection.add(
            [
                {"id": str(n), "text": " ".join(WORDS[n % 7 :: 1 + n % 4]) + f" {n}"}
                for n in range(60)
            ]
        )
        yield collection


def search(collection, method, weights, **fields):
    legs = [{"name": name, "weight": weight} for name, weight in weights.items()]
    asked = {"query": "kiwi bird sea", "legs": legs, "fusion": {"method": method}, "limit": 60}
    return collection.search(SearchRequest.parse({**asked, "explain": True, **fields}))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "weights",
    [
        {"dense": 1, "sparse": 1, "lexical": 1},
        {"dense": 0.5, "sparse": 3, "lexical": 0.25},
        {"dense": 2, "sparse": 0, "lexical": 1},
        {"lexical": 3},
    ],
    ids=str,
)
@pytest.mark.parametrize("depth", [1_000, 7])
def test_contributions_sum_to_the_score(collection, method, weights, depth):
    result = search(collection, method, weights, depth=depth, limit=7)
    assert result.hits
    for hit in result.hits:
        added = [leg.contribution for leg in hit.legs.values()]
        assert sum(added) == pytest.approx(hit.score, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_a_contribution_is_the_scaled_score_times_the_weight(collection, method):
    weights = {"dense": 0.5, "sparse": 3, "lexical": 0.25}
    total = 1 if method == "rrf" else sum(weights.values())
    scaled = {name: [] for name in weights}
    for hit in search(collection, method, weights).hits:
        for name, leg in hit.legs.items():
            assert leg.weight == weights[name]
            assert leg.contribution == pytest.approx(leg.scaled * leg.weight / total)
            scaled[name].append((leg.score, leg.scaled))
    for pairs in scaled.values():  # The order of a leg is kept.
        pairs.sort()
        assert [value for _, value in pairs] == sorted(value for _, value in pairs)


def test_contributions_require_explain(collection):
    result = search(collection, "minmax", {"dense": 1, "lexical": 1}, explain=False)
    assert {leg.contribution for hit in result.hits for leg in hit.legs.values()} == {None}


def test_fields_lists_metadata_names_and_kinds(tmp_path):
    with Collection.create(
        tmp_path / "c", CollectionConfig.parse({"legs": {"lexical": {"kind": "lexical"}}})
    ) as collection:
        assert collection.fields() == {}
        collection.add(
            [
                {"id": "1", "text": "a", "metadata": {"year": 1, "name": "x", "at": {"b": True}}},
                {"id": "2", "text": "a", "metadata": {"year": "old", "tags": ["x", "y"]}},
            ]
        )
        found = {"at.b": {BOOLEAN}, "name": {STRING}, "tags": {STRING}, "year": {NUMBER, STRING}}
        assert collection.fields() == found
        assert collection.fields(limit=2) == {"at.b": {BOOLEAN}, "name": {STRING}}
        collection.delete(["1"])
        assert collection.fields() == {"tags": {STRING}, "year": {STRING}}
