"""Rewriting over HTTP: searches, answers, lists, and the client."""

from __future__ import annotations

import pytest

from twindex.api.http.shapes.answers import AnswerReply
from twindex.api.http.shapes.operations import Health, ModelList
from twindex.api.http.shapes.schemas import SearchReply

REWRITERS = """
[rewriters.more]
kind = "fake"
texts = ["sleep"]

[rewriters.follow]
kind = "fake"
texts = ["{turn}"]
how = "replace"

[rewriters.echo]
kind = "queries"
llm = {model = "fake"}

[rewriters.gone]
kind = "hyde"
llm = {model = "not-on-this-machine"}
"""
SEARCH, ANSWER = "/v1/collections/birds/search", "/v1/collections/birds/answer"


@pytest.fixture
def rewriting(serve, tmp_path, fake_config):
    file = tmp_path / "rewriters.toml"
    file.write_text(REWRITERS)
    (tmp_path / "data").mkdir()
    client = serve(tmp_path / "data", rewriters=file)
    assert client.put("/v1/collections/birds", json=fake_config).status_code == 201
    for name, text in (
        ("kiwi", "The kiwi cannot fly."),
        ("emu", "The emu runs and cannot fly."),
        ("swift", "Swifts fly while they sleep."),
    ):
        path = f"/v1/collections/birds/documents/{name}"
        assert client.put(path, json={"text": text}).status_code == 201
    return client


def test_a_search_shows_what_was_searched(rewriting):
    body = {"query": "kiwi", "legs": ["lexical"], "rewrite": "more"}
    response = rewriting.post(SEARCH, json=body)
    assert response.status_code == 200
    reply = SearchReply.model_validate(response.json())
    assert {hit.id for hit in reply.hits} == {"kiwi", "swift"}
    (stage,) = reply.stages
    assert (stage.name, stage.status, stage.queries, stage.searches) == (
        "more",
        "ran",
        ["sleep"],
        1,
    )
    assert stage.usage.calls == 1
    assert "rewrite" in reply.timings
    assert "rewrite;dur=" in ",".join(response.headers.get_list("server-timing"))
    batch = rewriting.post(f"{SEARCH}/batch", json={"requests": [body, {"query": "emu"}]}).json()
    assert [len(one.get("stages", [])) for one in batch["results"]] == [1, 0]


def test_an_answer_shows_the_standalone_query(rewriting):
    turns = [{"role": "user", "content": "sleep"}]
    body = {"question": "Which birds do it?", "turns": turns}
    reply = AnswerReply.model_validate(rewriting.post(ANSWER, json=body).json())
    assert reply.query == "sleep"
    assert reply.stages[0].queries == ["sleep"]
    body["rewrite"] = False
    reply = AnswerReply.model_validate(rewriting.post(ANSWER, json=body).json())
    assert (reply.query, reply.stages) == ("Which birds do it?", [])


def test_rewriters_are_listed_with_their_status(rewriting):
    listed = ModelList.model_validate(rewriting.get("/v1/models").json()).data
    found = {
        one.id: (one.kind, one.status, one.weights) for one in listed if one.type == "rewriter"
    }
    assert found == {
        "more": ("fake", "ready", None),
        "follow": ("fake", "ready", None),
        "echo": ("queries", "ready", "fake"),
        "gone": ("hyde", "unavailable", "not-on-this-machine"),
    }
    health = Health.model_validate(rewriting.get("/healthz").json())
    assert health.status == "degraded"
    assert health.rewriters["gone"] == "unavailable"


def test_a_missing_model_falls_back_to_the_query(rewriting):
    plain = rewriting.post(SEARCH, json={"query": "kiwi"}).json()
    reply = rewriting.post(SEARCH, json={"query": "kiwi", "rewrite": "gone"}).json()
    assert reply["hits"] == plain["hits"]
    assert reply["stages"][0]["status"] == "failed"
    assert "the query was searched as it is" in reply["warnings"][0]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"query": "kiwi", "rewrite": "nobody"}, "rewrite.model"),
        ({"query": "kiwi", "rewrite": {"model": "more", "timeout_ms": 0}}, "rewrite.timeout_ms"),
        (
            {
                "query": "kiwi",
                "rewrite": {"model": "echo", "turns": [{"role": "user", "content": "x"}]},
            },
            "rewrite.turns",
        ),
    ],
)
def test_a_wrong_rewriting_names_its_field(rewriting, problem, body, field):
    details = problem(rewriting.post(SEARCH, json=body), 422, "invalid")
    assert details.errors[0].field == field
