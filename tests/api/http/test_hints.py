"""What an error reply suggests instead of a wrong request."""

from __future__ import annotations

import copy

BIRDS = "/v1/collections/birds"


def test_a_similar_collection_is_suggested(client, problem):
    for path in ("/v1/collections/brids", "/v1/collections/brids/documents/kiwi"):
        detail = problem(client.get(path), 404, "not_found").detail
        assert detail == "no collection 'brids'; did you mean 'birds'?"
    assert client.get("/v1/collections/zebra").json()["detail"] == "no collection 'zebra'"


def test_a_similar_leg_or_kind_is_suggested(client, problem, fake_config):
    reply = client.post(f"{BIRDS}/search", json={"query": "fly", "legs": ["lexicla"]})
    assert problem(reply, 422, "invalid").detail.endswith("; did you mean 'lexical'?")
    fake_config["legs"]["dense"]["codec"] = {"kind": "int9"}
    details = problem(client.put("/v1/collections/new", json=fake_config), 422, "invalid")
    assert details.errors[0].field == "legs.dense.codec"
    assert details.detail.endswith("got 'int9'; did you mean \"int8\"?")


def test_a_name_instead_of_an_object(client, problem, fake_config):
    for field, given, end in (
        ("encoder", "all-MiniLM-L6-v2", '; write {"model": "all-MiniLM-L6-v2"}'),
        ("codec", "int8", '; write {"kind": "int8"}'),
        ("codec", "zebra", "got 'zebra'"),
    ):
        config = copy.deepcopy(fake_config)
        config["legs"]["dense"][field] = given
        reply = client.put("/v1/collections/new", json=config)
        assert problem(reply, 422, "invalid").detail.endswith(end)


def test_a_wrong_method_names_the_right_ones(client, problem):
    reply = client.post(f"{BIRDS}/documents", json={"id": "x", "text": "y"})
    detail = problem(reply, 405, "method_not_allowed").detail
    assert detail == (
        "this path supports GET, not POST; to write documents, use "
        f"PUT {BIRDS}/documents/{{id}} for one or POST {BIRDS}/documents/bulk for many"
    )
    assert reply.headers["allow"] == "GET"
    reply = client.post(BIRDS)
    assert problem(reply, 405, "method_not_allowed").detail == (
        "this path supports DELETE, GET, PUT, not POST"
    )
    assert reply.headers["allow"] == "DELETE, GET, PUT"


def test_the_description_says_the_unit_of_passages(client):
    place = client.get("/openapi.json").json()["components"]["schemas"]["PassagePlace"]
    for name in ("start", "end"):
        assert "code points" in place["properties"][name]["description"]
