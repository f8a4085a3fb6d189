"""Documents and queries bring vectors over HTTP."""

from __future__ import annotations

import json

import numpy as np
import pytest

import twindex
from twindex.core import Document, Passage

CONFIG = {
    "legs": {
        "dense": {"kind": "dense", "encoder": {"kind": "external", "dimensions": 3}},
        "sparse": {"kind": "sparse", "encoder": {"kind": "external-sparse", "dimensions": 50}},
        "lexical": {"kind": "lexical"},
    }
}
OWN = "/v1/collections/own"
NDJSON = {"content-type": "application/x-ndjson"}


@pytest.fixture
def own(serve):
    client = serve()
    assert client.put(OWN, json=CONFIG).status_code == 201
    return client


def document(name, dense, sparse, **fields):
    return {"id": name, "text": "bird", "vectors": {"dense": dense, "sparse": sparse}, **fields}


DOCUMENTS = [
    document("a", [1, 0, 0], {"7": 2}),
    document("b", [0, 1, 0], {"indices": [7, 9], "values": [1, 1]}, metadata={"year": 2}),
]


def bulk(client, documents, **params):
    body = "\n".join(map(json.dumps, documents))
    return client.post(f"{OWN}/documents/bulk", content=body, headers=NDJSON, params=params)


def found(client, **request):
    reply = client.post(f"{OWN}/search", json=request)
    assert reply.status_code == 200, reply.text
    return [(hit["id"], hit["score"]) for hit in reply.json()["hits"]]


def check(client):
    assert found(client, vectors={"dense": [2, 1, 0]}) == [("a", 2), ("b", 1)]
    assert found(client, vectors={"dense": [2, 1, 0]}, filter={"year": 2}) == [("b", 1)]
    assert found(client, vectors={"sparse": {"7": 1}}) == [("a", 2), ("b", 1)]
    sparse = {"indices": [9], "values": [3]}
    assert found(client, vectors={"sparse": sparse}) == [("b", 3)]


def test_bulk_and_search(own):
    reply = bulk(own, DOCUMENTS)
    assert reply.json()["errors"] is False
    check(own)
    stored = own.get(f"{OWN}/documents/a").json()
    assert set(stored) == {"id", "title", "text", "metadata"}


def test_put_and_search(own, problem):
    for one in DOCUMENTS:
        assert own.put(f"{OWN}/documents/{one['id']}", json=one).status_code == 201
    check(own)
    wrong = document("c", [1, 2], {})
    details = problem(own.put(f"{OWN}/documents/c", json=wrong), 422, "invalid")
    assert details.errors[0].field == "vectors.dense"
    assert "must have 3 dimensions, got 2" in details.detail


def test_a_job_writes_vectors(own, wait_for_job):
    job = bulk(own, DOCUMENTS, **{"async": True})
    assert job.status_code == 202
    assert wait_for_job(own, job.json()["id"])["state"] == "done"
    check(own)


def test_wrong_lines_are_named_and_the_others_written(own, problem):
    wrong = [
        document("c", [1, 2], {}),
        document("d", [1, 2, 1e9], {}),
        document("e", [1, 2, 3], {"50": 1}),
        {"id": "f", "text": "no vectors"},
        document("g", [1, 2, 3], {}, vectors={"dense": [1, 2, 3], "sparse": {}, "late": [1]}),
    ]
    items = bulk(own, [*wrong, *DOCUMENTS]).json()["items"]
    assert [item["status"] for item in items] == [422] * 5 + [200] * 2
    assert [item["error"]["field"] for item in items[:5]] == [
        "vectors.dense",
        "vectors.dense[2]",
        "vectors.sparse.50",
        "vectors.dense",
        "vectors.late",
    ]
    check(own)
    details = problem(bulk(own, wrong, on_error="fail"), 422, "invalid")
    assert details.errors[0].field == "lines[0].vectors.dense"


@pytest.mark.parametrize(
    ("request_", "field", "words"),
    [
        ({"vectors": {"dense": [1, 2]}}, "vectors.dense", "3 dimensions"),
        ({"vectors": {"dense": [1, 2, "x"]}}, "vectors.dense[2]", "must be a number"),
        ({"vectors": {"dense": [1, 2, None]}}, "vectors.dense[2]", "must be a number"),
        ({"vectors": {"dense": {"a": 1}}}, "vectors.dense", "list of 3 numbers"),
        ({"vectors": {"sparse": {"a": 1}}}, "vectors.sparse.a", "vocabulary"),
        ({"vectors": {"sparse": {"7": -1}}}, "vectors.sparse.7", "a weight must be"),
        (
            {"vectors": {"sparse": {"indices": [1, 2], "values": [1, "x"]}}},
            "vectors.sparse.values[1]",
            "a weight must be a number",
        ),
        ({"query": "bird", "legs": ["dense"]}, "vectors.dense", "encodes no text"),
    ],
)
def test_wrong_query_vectors_are_refused(own, problem, request_, field, words):
    details = problem(own.post(f"{OWN}/search", json=request_), 422, "invalid")
    assert details.errors[0].field == field
    assert words in details.errors[0].message


def test_a_text_searches_the_other_legs(own):
    bulk(own, DOCUMENTS)
    reply = own.post(f"{OWN}/search", json={"query": "bird"}).json()
    assert [set(hit["legs"]) for hit in reply["hits"]] == [{"lexical"}, {"lexical"}]
    assert len(reply["warnings"]) == 2


@pytest.mark.parametrize(
    "encoder",
    [
        {"kind": "external-sparse", "vocabulary": "SECRET"},
        {
            "kind": "pair",
            "documents": {"kind": "external-sparse", "dimensions": 5},
            "queries": {"kind": "sparse", "model": "SECRET"},
        },
    ],
)
def test_requests_do_not_choose_files(own, problem, tmp_path, encoder):
    secret = tmp_path / "secret.txt"
    secret.write_text("kiwi\n")
    # The name of an external model allows nothing.
    named = {"kind": "external", "model": str(secret), "dimensions": 3}
    config = {"legs": {"dense": {"kind": "dense", "encoder": named}}}
    assert own.put("/v1/collections/named", json=config).status_code == 201
    value = json.loads(json.dumps(encoder).replace("SECRET", str(secret)))
    legs = {"sparse": {"kind": "sparse", "encoder": value}}
    details = problem(own.put("/v1/collections/new", json={"legs": legs}), 422, "config")
    assert "is not a model that this server allows" in details.detail


def test_an_operator_allows_a_vocabulary(serve, tmp_path):
    (tmp_path / "root").mkdir()
    vocabulary = tmp_path / "vocabulary.txt"
    vocabulary.write_text("kiwi\nemu\n")
    client = serve(tmp_path / "root", models=(str(vocabulary),))
    encoder = {"kind": "external-sparse", "vocabulary": "vocabulary.txt"}
    config = {"legs": {"sparse": {"kind": "sparse", "encoder": encoder}}}
    assert client.put(OWN, json=config).status_code == 201
    bulk(client, [{"id": "a", "text": "", "vectors": {"sparse": {"emu": 2}}}])
    assert found(client, vectors={"sparse": {"emu": 3}}) == [("a", 6)]


def test_the_client_sends_arrays(own):
    with twindex.Client("http://localhost", transport=own._transport) as client:
        collection = client.open("own")
        collection.add(
            [
                Document("a", "bird", vectors={"dense": np.array([1, 0, 0]), "sparse": {"7": 2}}),
                document(
                    "b", [np.array([0, 1, 0], np.float32)], [{"7": 1, "9": 1}],
                    metadata={"year": 2}, passages=[[0, 4]],
                ),
                Document("c", "bird", vectors={"dense": np.zeros(3), "sparse": {}},
                         passages=[Passage(1, 2)]),
            ]
        )  # fmt: skip
        hits = collection.search({"vectors": {"dense": np.array([2, 1, -9], np.float32)}}).hits
        assert [(hit.id, hit.score) for hit in hits][:2] == [("a", 2), ("b", 1)]
        assert hits[2].passage == Passage(1, 2)
