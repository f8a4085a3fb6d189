"""Errors have the form that each client reads, also those of the middleware."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from .conftest import cohere_client

MESSAGES = [{"role": "user", "content": "Which bird cannot fly?"}]
CHAT = {"model": "rag:birds", "messages": MESSAGES}
SLOW = {"model": "rag:birds:slow", "messages": MESSAGES}

OPENAI = {
    "/v1/chat/completions": CHAT,
    "/v1/embeddings": {"model": "birds/dense", "input": "a"},
    "/v1/sparse_embeddings": {"model": "birds/sparse", "input": "a"},
    "/v1/responses": {"model": "rag:birds", "input": "Which bird cannot fly?"},
    "/v1/vector_stores/birds/search": {"query": "a"},
}
COHERE = {
    "/v2/chat": CHAT,
    "/v2/embed": {"model": "birds/dense", "texts": ["a"], "input_type": "search_query"},
    "/v2/rerank": {"model": "fast", "query": "a", "documents": ["a"]},
}
TEI = {"/embed": {"inputs": "a"}, "/embed_sparse": {"inputs": "a"}, "/rerank": {}}


def message(path: str, body: dict[str, Any]) -> str:
    """Return the message of an error in the form of the path's clients."""
    if path in OPENAI:
        error = body["error"]
        assert set(error) == {"message", "type", "param", "code", "request_id", "errors"}
        assert set(body) == {"error"}
        return str(error["message"])
    if path in TEI:
        assert body["error_type"] in ("Validation", "Overloaded", "Backend")
        return str(body["error"])
    return str(body["message"])


@pytest.mark.parametrize("path", [*OPENAI, *COHERE, *TEI])
def test_every_error_has_the_form_of_the_interface(server, path):
    post = server.http.post
    no_key = post(path, json={}, headers={"authorization": "Bearer wrong"})
    cases = {
        401: no_key,
        403: post(path, json={}, headers={"origin": "http://other.example"}),
        413: post(path, json={"x": "y" * 1_100_000}),
        415: post(path, content=b"x", headers={"content-type": "text/plain"}),
        400: post(path, content=b"{", headers={"content-type": "application/json"}),
        405: server.http.get(path),
    }
    for status, reply in cases.items():
        assert reply.status_code == status, (path, status, reply.text)
        assert message(path, reply.json()), (path, status)
    assert no_key.headers["www-authenticate"].startswith("Bearer")


def test_the_clients_raise_their_own_errors(server):
    openai = pytest.importorskip("openai", reason="openai is not installed")
    cohere = pytest.importorskip("cohere", reason="cohere is not installed")
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="no", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError) as raised:
            client.models.list()
        assert raised.value.body["type"] == "authentication_error"
    with (
        cohere_client(server.url, "no") as other,
        pytest.raises(cohere.UnauthorizedError) as refused,
    ):
        other.chat(**CHAT)
    assert "API key" in refused.value.body["message"]


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("rag:bird", "did you mean 'birds'"),
        ("birds", "did you mean 'rag:birds'"),
        ("gpt-4o", "rag:COLLECTION"),
    ],
)
def test_an_unknown_model_is_not_found(openai, cohere, model, words):
    import cohere as cohere_package
    import openai as openai_package

    with pytest.raises(openai_package.NotFoundError) as raised:
        openai.chat.completions.create(model=model, messages=MESSAGES)
    assert words in raised.value.message
    with pytest.raises(cohere_package.NotFoundError) as refused:
        cohere.chat(model=model, messages=MESSAGES)
    assert words in refused.value.body["message"]
    with pytest.raises(openai_package.NotFoundError):  # Before the first event of a stream.
        openai.chat.completions.create(model=model, messages=MESSAGES, stream=True)


def test_an_unknown_reranker_is_not_found_for_clients_of_cohere(server, cohere):
    import cohere as cohere_package

    with pytest.raises(cohere_package.NotFoundError) as refused:
        cohere.rerank(model="rerank-v3.5", query="a", documents=["a"])
    assert "rerank-v3.5" in refused.value.body["message"]
    assert refused.value.body["code"] == "model_not_found"


def test_an_unknown_generator_is_named(openai):
    import openai as package

    with pytest.raises(package.NotFoundError) as raised:
        openai.chat.completions.create(model="rag:birds:nobody", messages=MESSAGES)
    assert "nobody" in raised.value.message
    assert raised.value.param == "model"


def test_an_error_that_the_search_finds_names_the_field_of_the_request(openai):
    import openai as package

    unknown = {"legs": [{"name": "lexicall"}]}
    ask, search = openai.chat.completions.create, openai.vector_stores.search
    with pytest.raises(package.BadRequestError) as raised:
        search("birds", query="a", extra_body={"twindex": unknown})
    assert raised.value.param == "twindex.legs[0].name"
    for stream in (False, True):
        with pytest.raises(package.BadRequestError) as raised:
            ask(
                model="rag:birds",
                messages=MESSAGES,
                stream=stream,
                extra_body={"twindex": {"search": unknown}},
            )
        assert raised.value.param == "twindex.search.legs[0].name"
    long = [{"role": "user", "content": "a" * 20_001}]
    with pytest.raises(package.BadRequestError) as raised:
        ask(model="rag:birds", messages=long)
    assert raised.value.param == "messages[0].content"


def test_too_many_requests_are_429_with_a_time_to_wait(server, openai):
    import openai as package

    statuses: list[Any] = []
    texts = ["bird " * 1_500] * 60

    def embed() -> None:
        body = {"model": "birds/dense", "input": texts}
        statuses.append(server.http.post("/v1/embeddings", json=body))

    for _ in range(10):
        threads = [threading.Thread(target=embed) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if any(reply.status_code == 429 for reply in statuses):
            break
        time.sleep(0.1)
    refused = next(reply for reply in statuses if reply.status_code == 429)
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["error"]["type"] == "rate_limit_error"
    assert any(reply.status_code == 200 for reply in statuses)
    assert package.RateLimitError.__mro__  # The client raises it for 429.


def test_a_text_above_the_limit_of_the_server_names_the_setting(openai):
    import openai as package

    with pytest.raises(package.BadRequestError) as raised:
        openai.embeddings.create(model="birds/dense", input=["a", "b" * 20_001])
    assert raised.value.param == "input[1]"
    assert "query_chars" in raised.value.message


def test_a_collection_that_is_damaged_is_503_and_not_requested_again(
    serve: Any, fake_config: Any
) -> None:
    client = serve()
    assert client.put("/v1/collections/birds", json=fake_config).status_code == 201
    served = client.app.state.service._served["birds"]
    served.collection.close()
    served.collection, served.status, served.problem = None, "damaged", "a file is damaged"
    reply = client.post("/v1/chat/completions", json=CHAT)
    assert reply.status_code == 503
    assert reply.headers["x-should-retry"] == "false"
    assert reply.json()["error"]["code"] == "damaged"
    assert reply.json()["error"]["type"] == "server_error"
    other = client.post("/v2/chat", json=CHAT)
    assert (other.status_code, other.headers["retry-after"]) == (503, "60")
    assert other.json()["message"] == "a file is damaged"
