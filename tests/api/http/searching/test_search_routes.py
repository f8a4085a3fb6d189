"""POST .../search and .../search/batch."""

from __future__ import annotations

import pytest

from twindex.api.http.shapes.schemas import BatchReply, SearchReply

SEARCH = "/v1/collections/birds/search"
BATCH = SEARCH + "/batch"


def test_a_search_reply_matches_its_schema(client):
    response = client.post(SEARCH, json={"query": "cannot fly", "limit": 2})
    assert response.status_code == 200
    reply = SearchReply.model_validate(response.json())
    assert [hit.id for hit in reply.hits] == ["kiwi", "emu"]
    assert reply.total.value == 3
    assert reply.total.relation == "eq"
    assert reply.index.encoder == {"dense": "fake", "sparse": "fake", "lexical": "en"}
    assert reply.request_id == response.headers["x-request-id"]
    assert {"encode", "dense", "sparse", "lexical", "fuse", "fetch"} <= set(reply.timings)
    timing = response.headers.get_list("server-timing")
    assert any("encode;dur=" in value for value in timing)
    assert any(value.startswith("total;dur=") for value in timing)
    best = reply.hits[0]
    assert best.legs["lexical"].rank == 1
    assert best.title == "Kiwi"
    assert best.metadata == {"year": 1813}
    assert best.explain is None


def test_the_reply_equals_the_engine(client):
    collection = client.app.state.service._served["birds"].collection
    expected = collection.search("fly", limit=3)
    hits = client.post(SEARCH, json={"query": "fly", "limit": 3}).json()["hits"]
    assert [(h["id"], h["score"]) for h in hits] == [(h.id, h.score) for h in expected.hits]


def test_legs_fusion_filter_include_and_explain(client):
    response = client.post(
        SEARCH,
        json={
            "query": "fly",
            "legs": [{"name": "lexical", "weight": 2}, {"name": "sparse"}],
            "fusion": {"method": "rrf", "k": 10},
            "filter": {"year": {"gte": 1800}},
            "include": ["title"],
            "explain": True,
        },
    )
    (hit,) = SearchReply.model_validate(response.json()).hits
    assert hit.id == "kiwi"
    assert set(hit.legs) == {"lexical", "sparse"}
    assert hit.text is None
    assert hit.metadata is None
    assert hit.score == pytest.approx(3 / 11)
    terms = hit.explain["lexical"]
    assert sum(term.score for term in terms) == pytest.approx(hit.legs["lexical"].score, rel=1e-5)
    assert terms[0].score == pytest.approx(terms[0].query * terms[0].document, rel=1e-5)


def test_hits_without_included_parts(client):
    (hit, *_) = client.post(SEARCH, json={"query": "fly", "include": []}).json()["hits"]
    assert set(hit) == {"id", "score", "legs", "passage", "headings", "page"}


def test_passages_are_offsets_in_the_text(client):
    text = " ".join(f"word{n}" for n in range(30)) + " albatross " + "filler " * 30
    config = {
        "legs": {"lexical": {"kind": "lexical"}},
        "passages": {"unit": "words", "size": 10, "overlap": 2, "threshold": 20},
    }
    client.put("/v1/collections/long", json=config)
    client.put("/v1/collections/long/documents/1", json={"text": text})
    response = client.post("/v1/collections/long/search", json={"query": "albatross"})
    (hit,) = response.json()["hits"]
    assert "albatross" in text[hit["passage"]["start"] : hit["passage"]["end"]]


def test_pages_neither_overlap_nor_skip(client):
    lines = "\n".join(f'{{"id": "d{n:03}", "text": "fly {"so " * (n % 7)}"}}' for n in range(60))
    path = "/v1/collections/birds/documents/bulk"
    client.post(path, content=lines, headers={"content-type": "application/x-ndjson"})
    whole = client.post(SEARCH, json={"query": "fly", "limit": 63}).json()["hits"]
    pages = []
    for offset in range(0, 63, 7):
        payload = {"query": "fly", "limit": 7, "offset": offset}
        pages += client.post(SEARCH, json=payload).json()["hits"]
    assert [hit["id"] for hit in pages] == [hit["id"] for hit in whole]
    assert len({hit["id"] for hit in pages}) == 63


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({}, ""),
        ({"query": "x", "limit": 0}, "limit"),
        ({"query": "x", "offset": 995, "limit": 10}, ""),
        ({"query": "x", "lmit": 3}, "lmit"),
        ({"query": "x", "legs": [{"name": "nope"}]}, "legs[0].name"),
        ({"query": "x", "legs": [{"name": "dense", "weight": -1}]}, "legs[0].weight"),
        ({"query": "x", "filter": {"year": {"after": 3}}}, "filter.year"),
        ({"query": "x", "fusion": {"method": "sum"}}, "fusion.method"),
        ({"vectors": {"lexical": [1.0]}}, "vectors.lexical"),
    ],
)
def test_an_invalid_field_is_named(client, payload, field, problem):
    details = problem(client.post(SEARCH, json=payload), 422, "invalid")
    assert details.errors[0].field == field
    assert "Value error" not in details.detail


@pytest.mark.parametrize(
    "text", ["{", "", "[1,]", '{"query": NaN}', '{"query": "\\ud800"}', "\xff"]
)
def test_malformed_json(client, text, problem):
    headers = {"content-type": "application/json"}
    problem(client.post(SEARCH, content=text.encode("latin-1"), headers=headers), 400, "malformed")


def test_a_json_body_must_be_an_object(client, problem):
    problem(client.post(SEARCH, json=["query"]), 422, "invalid")


def test_unknown_collection_and_method(client, problem):
    problem(client.post("/v1/collections/nope/search", json={"query": "x"}), 404, "not_found")
    problem(client.get(SEARCH), 405, "method_not_allowed")


@pytest.mark.parametrize("given", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_wrong_content_type(client, given, problem):
    headers = {"content-type": given} if given else {}
    response = client.post(SEARCH, content=b'{"query": "x"}', headers=headers)
    problem(response, 415, "unsupported_media_type")


def test_compressed_bodies_are_rejected(client, problem):
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    problem(
        client.post(SEARCH, content=b"\x1f\x8b", headers=headers), 415, "unsupported_media_type"
    )


def test_batch(client):
    queries = ["cannot fly", "sleep", "cannot fly"]
    response = client.post(BATCH, json={"requests": [{"query": q} for q in queries]})
    reply = BatchReply.model_validate(response.json())
    singles = [client.post(SEARCH, json={"query": q}).json()["hits"] for q in queries]
    assert [[hit.id for hit in result.hits] for result in reply.results] == [
        [hit["id"] for hit in single] for single in singles
    ]


@pytest.mark.parametrize(
    ("requests", "field"),
    [([], "requests"), ([{"query": "x"}] * 101, "requests"), ([{"query": "x"}, {}], "requests[1]")],
)
def test_an_invalid_batch_names_the_field(client, requests, field, problem):
    details = problem(client.post(BATCH, json={"requests": requests}), 422, "invalid")
    assert details.errors[0].field == field
