"""Errors of odd requests name the field of the request, and nothing is left out silently."""

from __future__ import annotations

from typing import Any

import pytest

QUESTION = "Which bird cannot fly?"
MESSAGES = [{"role": "user", "content": QUESTION}]
CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"
STORE = "/v1/vector_stores/birds/search"
BASES: dict[str, dict[str, Any]] = {
    CHAT: {"model": "rag:birds", "messages": MESSAGES},
    RESPONSES: {"model": "rag:birds", "input": QUESTION},
    STORE: {"query": "kiwi"},
    "/v1/embeddings": {"model": "birds/dense", "input": "a"},
    "/v1/sparse_embeddings": {"model": "birds/sparse", "input": "a"},
    "/v2/chat": {"model": "rag:birds", "messages": MESSAGES},
    "/v2/embed": {"model": "birds/dense", "input_type": "search_query"},
    "/embed": {"model": "birds/dense"},
    "/embed_sparse": {},
}


def refused(server, path: str, fields: dict[str, Any]) -> tuple[int, str, str]:
    """Return (status, path of the first invalid field, message) of a request that is refused."""
    reply = server.http.post(path, json={**BASES[path], **fields})
    body = reply.json()
    error = body.get("error", body)
    if isinstance(error, str):  # The form of text-embeddings-inference.
        error = {**body, "message": error}
    return reply.status_code, error["errors"][0]["field"], error["message"]


SEARCH = {"vectors": {"dense": [1.0]}}
PART = [{"role": "user", "content": [{"type": "text", "text": "a", "x": 1}]}]
OUTPUT = [{"type": "function_call_output", "output": "a"}]
NOT = {"type": "eq", "key": "not", "value": 1}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", [CHAT, RESPONSES, "/v2/chat"])
@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"generator": "nobody"}, "twindex.generator"),
        ({"rewrite": "nobody"}, "twindex.rewrite.model"),
        ({"background": "nobody"}, "twindex.background.model"),
        ({"tokens": 0}, "twindex.tokens"),
        ({"search": SEARCH}, "twindex.search.vectors.dense"),
        ({"search": {"legs": ["nobody"]}}, "twindex.search.legs[0].name"),
    ],
)
def test_an_error_during_the_answer_names_the_field_of_the_request(
    server, path, fields, name, stream
):
    status, field, message = refused(server, path, {"twindex": fields, "stream": stream})
    assert status == (422 if path == "/v2/chat" else 400)
    assert field == name
    assert message.startswith(f"{name}: ")


def test_a_long_question_names_the_field_of_the_request(server):
    long = [{"role": "user", "content": "kiwi " * 3_000}]
    assert refused(server, CHAT, {"messages": long})[1] == "twindex.context.tokens"
    long = [{"role": "user", "content": "kiwi " * 5_000}]  # Above the limit of the server.
    assert refused(server, CHAT, {"messages": long})[1] == "messages[0].content"
    given = {"model": "extractive", "documents": ["a"], "messages": long}
    assert refused(server, "/v2/chat", given)[1] == "messages[0].content"
    assert refused(server, RESPONSES, {"input": "kiwi " * 5_000})[1] == "input"


@pytest.mark.parametrize(
    ("path", "model"),
    [
        (CHAT, "rag:nobody"),
        (CHAT, "rag:birds:nobody"),
        (CHAT, "rag:birds:"),
        (RESPONSES, "rag:nobody"),
        ("/v2/chat", "rag:birds:nobody"),
        ("/v1/embeddings", "nobody"),
        ("/v1/sparse_embeddings", "birds/nobody"),
    ],
)
def test_an_unknown_model_is_404_at_the_field_model(server, path, model):
    status, field, _ = refused(server, path, {"model": model})
    assert (status, field) == (404, "model")
    reply = server.http.post(path, json={**BASES[path], "model": model}).json()
    assert reply.get("error", reply)["code"] == "model_not_found"


def test_a_name_without_a_collection_gets_no_suggestion_by_chance(server):
    assert "rag:COLLECTION" in refused(server, CHAT, {"model": "rag:"})[2]


@pytest.mark.parametrize(
    ("path", "fields", "name", "words"),
    [
        (CHAT, {"messages": [{"role": "user", "content": 3}]}, "messages[0].content", "or a list"),
        (CHAT, {"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content[0]", "'x'"),
        (CHAT, {"messages": []}, "messages", "at least 1 item, got 0"),
        (CHAT, {"twindex": {"rewrite": 3}}, "twindex.rewrite", "got 3"),
        (RESPONSES, {"input": ""}, "input", "must not be empty"),
        (RESPONSES, {"input": []}, "input", "at least 1 item, got 0"),
        (RESPONSES, {"input": {}}, "input", "a string or a list, got an object"),
        (RESPONSES, {"input": [None]}, "input[0]", "an object, got null"),
        (RESPONSES, {"input": OUTPUT}, "input[0].type", "message"),
        (RESPONSES, {"input": [{"role": "user", "content": "a", "x": 1}]}, "input[0].x", "unknown"),
        ("/v1/embeddings", {"input": [["a"]]}, "input[0]", "must be a string"),
        ("/v1/embeddings", {"input": ["a"] * 2_049}, "input", "at most 2,048 items, got 2,049"),
    ],
)
def test_messages_have_no_words_of_the_validation_library(server, path, fields, name, words):
    _, field, message = refused(server, path, fields)
    assert field == name
    assert words in message


@pytest.mark.parametrize(
    ("path", "fields", "name"),
    [
        (CHAT, {"messages": PART}, "messages[0].content[0].x"),
        ("/v2/embed", {"inputs": [{"content": "a", "x": 1}]}, "inputs[0].x"),
        ("/v2/chat", {"model": "extractive"}, "documents"),
        (STORE, {"filters": NOT}, "filters.key"),
        (STORE, {"filters": {"type": "or", "filters": [NOT]}}, "filters.filters[0].key"),
        (STORE, {"twindex": SEARCH}, "twindex.vectors.dense"),
        (STORE, {"twindex": {"rerank": {"model": "nobody"}}}, "twindex.rerank.model"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(server, path, fields, name):
    assert refused(server, path, fields)[1] == name


@pytest.mark.parametrize(
    ("path", "field"), [(CHAT, "messages"), ("/v2/chat", "messages"), (RESPONSES, "input")]
)
def test_too_many_messages_are_counted_as_the_request_has_them(server, path, field):
    talk = [{"role": "system", "content": "Be brief."}] if path != RESPONSES else []
    talk += [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}] * 75
    talk += [{"role": "user", "content": "Which bird cannot fly?"}]
    given = {field: talk, "twindex": {"system_message": "ignore"}}
    _, named, message = refused(server, path, given)
    assert named == field
    assert "at most 100 messages of user and assistant before the question, got 150" in message


def test_a_vector_store_returns_the_rest_of_the_native_reply(server):
    native = {"query": "kiwi", "explain": True, "suggest": True}
    whole = server.http.post("/v1/collections/birds/search", json=native).json()
    given = {"query": "kiwi", "twindex": {"explain": True, "suggest": True}}
    page = server.http.post(STORE, json=given).json()
    assert page["twindex"]["total"] == whole["total"]
    assert page["twindex"]["warnings"] == whole["warnings"]
    assert page["twindex"]["query_terms"] == whole["query_terms"]
    found = [one["twindex"]["explain"] for one in page["data"]]
    assert found == [one["explain"] for one in whole["hits"]]


def test_names_that_stand_for_several_encoders_are_not_offered(server):
    reply = server.http.post("/embed", json={"inputs": "a"}).json()
    assert "birds/dense" in reply["error"]
    assert "small/dense" in reply["error"]


def test_ids_of_encoders_are_unique_and_can_be_used(server):
    listed = server.http.get("/v1/models").json()["data"]
    encoders = [one["id"] for one in listed if one["type"] == "encoder"]
    assert {"birds/dense", "small/dense"} < set(encoders)  # Both are the model `fake`.
    assert len(encoders) == len(set(encoders))
    assert set(encoders).isdisjoint(one["id"] for one in listed if one["type"] != "encoder")
    for one in listed:
        if one["type"] == "encoder" and one["kind"] == "dense":
            given = {"model": one["id"], "input": "kiwi"}
            assert server.http.post("/v1/embeddings", json=given).status_code == 200
            assert server.http.get(f"/v1/models/{one['id']}").json() == one
    message = server.http.post("/v1/embeddings", json={"model": "fak", "input": "a"}).text
    assert "'birds/dense'" in message or "birds/dense" in message


EMPTY = [
    ("/v1/embeddings", {"input": ""}, "input"),
    ("/v1/embeddings", {"input": ["kiwi", ""]}, "input[1]"),
    ("/v1/sparse_embeddings", {"input": ["kiwi", ""], "model": "birds/sparse"}, "input[1]"),
    ("/v2/embed", {"texts": ["", "kiwi"]}, "texts[0]"),
    ("/v2/embed", {"inputs": [{"content": ""}]}, "inputs[0].content"),
    ("/v2/embed", {"inputs": [{"content": [{"type": "text", "text": ""}]}]}, "inputs[0].content"),
    ("/embed", {"inputs": ""}, "inputs"),
    ("/embed_sparse", {"inputs": ["kiwi", ""]}, "inputs[1]"),
    ("/v1/embeddings", {"input": " \n"}, "input"),
    ("/v1/embeddings", {"input": ["kiwi", "\t \u3000"]}, "input[1]"),
    ("/v2/embed", {"texts": ["  ", "kiwi"]}, "texts[0]"),
    ("/v2/embed", {"inputs": [{"content": " "}]}, "inputs[0].content"),
    ("/embed", {"inputs": " "}, "inputs"),
]


@pytest.mark.parametrize(("path", "fields", "name"), EMPTY)
def test_an_empty_text_is_refused_by_name(server, path, fields, name):
    _, field, message = refused(server, path, fields)
    assert field == name
    assert message == f"{name}: must not be empty: a text without words has no vector"
