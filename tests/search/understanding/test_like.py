"""Searches for documents like others, compared with the formulae on stored documents."""

from __future__ import annotations

from collections import Counter
from math import log

import numpy as np
import pytest

from twindex.core import InvalidInputError
from twindex.index import CollectionConfig
from twindex.search import Collection

EXTERNAL = {"kind": "external"}
CONFIG = CollectionConfig.parse(
    {
        "legs": {
            "dense": {"kind": "dense", "encoder": {**EXTERNAL, "dimensions": 4}},
            "lexical": {"kind": "lexical", "encoder": {"language": "none"}},
        }
    }
)
WORDS = ["ant", "bee", "cat", "dog", "elk", "fox"]


def unit(vector):
    return vector / np.linalg.norm(vector)


@pytest.fixture
def documents():
    chance = np.random.default_rng(5)
    return [
        {
            "id": f"d{i}",
            "text": " ".join(chance.choice(WORDS, 6)),
            "metadata": {"even": i % 2 == 0},
            "vectors": {"dense": unit(chance.normal(size=4)).tolist()},
        }
        for i in range(30)
    ]


@pytest.fixture
def collection(tmp_path, documents):
    with Collection.create(tmp_path / "c", CONFIG) as made:
        made.add(documents[:9])
        made.seal()
        made.add(documents[9:20])
        made.seal()
        made.add(documents[20:])
        made.add([{**documents[3], "text": "gnu gnu"}])  # The first version is in a segment.
        documents[3]["text"] = "gnu gnu"
        yield made


LIKED, UNLIKED = ["d1", "d12"], ["d25"]


@pytest.mark.parametrize("unlike", [[], UNLIKED])
def test_a_dense_leg_searches_for_the_mean_of_liked_documents(collection, documents, unlike):
    vectors = {one["id"]: np.array(one["vectors"]["dense"]) for one in documents}
    query = np.mean([vectors[name] for name in LIKED], axis=0)
    if unlike:
        query = 2 * query - np.mean([vectors[name] for name in unlike], axis=0)
    found = collection.search(like={"ids": LIKED, "unlike": unlike}, legs=["dense"], limit=30)
    scores = {name: float(query @ vector) for name, vector in vectors.items()}
    expected = [n for n in sorted(scores, key=lambda n: -scores[n]) if n not in LIKED + unlike]
    assert [hit.id for hit in found] == expected
    assert [hit.score for hit in found] == pytest.approx([scores[n] for n in expected], rel=1e-4)


@pytest.mark.parametrize("terms", [2, 25])
def test_a_lexical_leg_searches_for_the_terms_with_the_largest_tf_idf(collection, documents, terms):
    counts = {one["id"]: Counter(one["text"].split()) for one in documents}
    having = Counter(word for one in counts.values() for word in one)
    weights = {}
    for word, number in having.items():
        liked = sum(counts[name][word] for name in LIKED) / len(LIKED)
        mean = liked - sum(counts[name][word] for name in UNLIKED) / len(UNLIKED)
        weights[word] = mean * log(1 + (len(documents) - number + 0.5) / (number + 0.5))
    expected = sorted((w for w in weights if weights[w] > 0), key=lambda w: (-weights[w], w))[
        :terms
    ]
    like = {"ids": LIKED, "unlike": UNLIKED, "terms": terms}
    found = collection.search(like=like, legs=["lexical"], limit=30)
    (stage,) = found.stages
    shown = stage.terms["lexical"].top
    assert [one.term for one in shown] == expected
    scaled = [weights[word] / weights[expected[0]] for word in expected]
    assert [one.weight for one in shown] == pytest.approx(scaled)
    alike = {name for name, own in counts.items() if set(own) & set(expected)}
    assert {hit.id for hit in found} == alike - {*LIKED, *UNLIKED}


def test_filters_facets_sort_and_pages_apply(collection):
    request = {"like": "d1", "filter": {"even": True}, "facets": ["even"]}
    found = collection.search(request)
    assert found.total == 15
    assert [(one.value, one.count) for one in found.facets[0].counts] == [(True, 15)]
    pages = [collection.search({**request, "offset": at, "limit": 5}) for at in (0, 5, 10)]
    whole = collection.search({**request, "limit": 15})
    assert [hit.id for page in pages for hit in page] == [hit.id for hit in whole]
    ordered = collection.search(like=["d1", "d2"], sort=["id"], limit=30, explain=True)
    ids = [hit.id for hit in ordered]
    assert ids == sorted(ids)
    assert not {"d1", "d2"} & {*ids}
    batch = collection.search_batch([request, {"like": ["d1"]}])
    assert [hit.id for hit in batch[0]] == [hit.id for hit in found]


def test_unknown_and_hidden_documents_are_equal_errors(collection):
    part = collection.within({"even": True})
    with pytest.raises(InvalidInputError) as hidden:
        part.search(like=["d2", "d1"])
    assert hidden.value.field == "like.ids[1]"
    with pytest.raises(InvalidInputError) as unknown:
        part.search(like=["d2", "d77"])
    assert str(hidden.value).replace("d1", "d77") == str(unknown.value)
    found = part.search(like={"ids": ["d2"], "unlike": ["d4"]}, limit=30)
    assert {hit.id for hit in found} == {f"d{i}" for i in range(0, 30, 2)} - {"d2", "d4"}


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"like": []}, "like"),
        ({"like": "d1", "query": "x"}, "remove `query` or `like`"),
        ({"like": "d1", "feedback": "rm3"}, "remove `feedback` or `like`"),
        ({"like": {"ids": ["d1"], "unlike": ["d1"]}}, "in both lists"),
        ({"like": {"ids": ["d1"], "terms": 0}}, "terms"),
        ({"like": "d1", "rerank": {"model": "x"}}, "query"),
    ],
)
def test_bad_requests_name_the_field(collection, request_, message):
    with pytest.raises(InvalidInputError, match=message):
        collection.search(request_)
