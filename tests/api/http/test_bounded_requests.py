"""Requests beyond a limit: each error names the field. Null means absent."""

from __future__ import annotations

import json

import pytest

from twindex.api.http.shapes.reranking import RerankBody
from twindex.search import SearchRequest

SEARCH = "/v1/collections/birds/search"
DOCUMENTS = "/v1/collections/birds/documents"


def nested(levels: int) -> dict:
    condition: dict = {"y": 1}
    for _ in range(levels):
        condition = {"not": condition}
    return condition


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"vectors": {"Not A Leg": [1.0]}}, "vectors.Not A Leg"),
        ({"vectors": {"": [1.0]}}, "vectors."),
        ({"vectors": {"é" * 200: [1.0]}}, "vectors." + "é" * 200),
        ({"query": "x", "fusion": {"method": "rrf", "k": 10**18}}, "fusion.k"),
        ({"query": "x", "fusion": {"method": "rrf", "k": "9" * 400}}, "fusion.k"),
        ({"query": "x", "limit": "9" * 30}, "limit"),
        ({"query": "x", "limit": True}, "limit"),
        ({"query": "x", "offset": -1}, "offset"),
        ({"query": "x", "filter": nested(60)}, "filter" + ".not" * 33),
    ],
)
def test_an_invalid_search_is_422_and_not_500(client, problem, body, field):
    details = problem(client.post(SEARCH, json=body), 422, "invalid")
    assert details.errors[0].field == field


def test_a_number_error_shows_bounds_and_value(client, problem):
    details = problem(client.post(SEARCH, json={"query": "x", "limit": 0}), 422, "invalid")
    assert details.detail == "limit: must be an integer between 1 and 1,000, got 0"


@pytest.mark.parametrize("levels", [40, 900])
def test_listing_with_a_deep_filter_is_rejected(client, problem, levels):
    query = {"filter": json.dumps(nested(levels)), "limit": 1}
    problem(client.get(DOCUMENTS, params=query), 422, "invalid")
    query["cursor"] = client.get(DOCUMENTS, params={"limit": 1}).json()["next_cursor"]
    problem(client.get(DOCUMENTS, params=query), 422, "invalid")


def test_a_collection_with_a_huge_number_is_not_created(client, problem):
    for field in ("size", "overlap", "threshold"):
        body = {"passages": {field: "9" * 30}}
        problem(client.put("/v1/collections/big", json=body), 422, "invalid")
    assert client.get("/v1/collections/big").status_code == 404
    assert client.get("/v1/jobs").status_code == 200


def test_null_means_absent_in_a_search(client):
    plain = client.post(SEARCH, json={"query": "bird"}).json()
    optional = [n for n, f in SearchRequest.model_fields.items() if n != "query"]
    body = {"query": "bird", **dict.fromkeys(optional)}
    found = client.post(SEARCH, json=body)
    assert found.status_code == 200, found.text
    assert found.json()["hits"] == plain["hits"]
    legs = [{"name": "lexical", "weight": None, "depth": None, "search": None}]
    assert client.post(SEARCH, json={"query": "kiwi", "legs": legs}).status_code == 200


def test_null_means_absent_in_create_and_delete(client):
    body = {
        "legs": {"lexical": {"kind": "lexical", "k1": None, "encoder": None, "role": None}},
        "passages": {"size": None},
        "storage": None,
    }
    assert client.put("/v1/collections/n", json=body).status_code == 201
    body = {"id": None, "_id": None, "text": "x", "title": None, "metadata": None}
    assert client.put("/v1/collections/n/documents/a", json=body).status_code == 201
    line = json.dumps({"_id": None, "id": "b", "text": "y", "title": None}) + "\n"
    headers = {"content-type": "application/x-ndjson"}
    path = "/v1/collections/n/documents/bulk"
    assert client.post(path, content=line, headers=headers).json()["errors"] is False
    path = "/v1/collections/n/documents/delete"
    assert client.post(path, json={"ids": ["a"], "filter": None}).json()["deleted"] == 1


def test_null_means_absent_in_a_reranking(serve, tmp_path):
    path = tmp_path / "r.toml"
    path.write_text('[rerankers.fake]\nkind = "fake"\n')
    client = serve(rerankers=path)
    body = {"model": "fake", "query": "kiwi", "documents": ["a kiwi", "an emu"]}
    optional = [n for n, f in RerankBody.model_fields.items() if not f.is_required()]
    others = ["max_tokens_per_doc", "max_chunks_per_doc", "rank_fields", "truncation"]
    found = client.post("/v1/rerank", json={**body, **dict.fromkeys([*optional, *others])})
    assert found.status_code == 200, found.text
    assert [r["index"] for r in found.json()["results"]] == [0, 1]
    assert client.post("/v1/rerank", json={**body, "max_tokens_per_doc": 5}).status_code == 422


def test_an_unknown_field_error_suggests_the_nearest_name(client, problem):
    details = problem(client.post(SEARCH, json={"query": "x", "limti": 3}), 422, "invalid")
    assert details.errors[0].message == "unknown field; did you mean `limit`?"
    details = problem(
        client.put("/v1/collections/z", json={"passages": {"sise": 3}}), 422, "invalid"
    )
    assert (details.errors[0].field, details.errors[0].message) == (
        "passages.sise",
        "unknown field; did you mean `size`?",
    )


def test_a_filter_on_an_unknown_field_warns(client):
    body = {"query": "bird", "filter": {"yaer": 1813}}
    assert client.post(SEARCH, json=body).json()["warnings"] == [
        "filter: no document has a field 'yaer'; did you mean 'year'?"
    ]
    body = {"query": "kiwi", "filter": {"id": "kiwi"}, "fusion": "rrf"}
    reply = client.post(SEARCH, json=body).json()
    assert [hit["id"] for hit in reply["hits"]] == ["kiwi"]
    assert reply["warnings"] == []


def test_openapi_has_bounds_and_the_filter_language(client):
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    search = schemas["SearchRequest"]["properties"]
    assert (search["limit"]["minimum"], search["limit"]["maximum"]) == (1, 1_000)
    for word in ("prefix", "date", "page Filters"):
        assert word in search["filter"]["description"]
