"""The same question gives the same answer in every interface of a server, and in the library."""

from __future__ import annotations

from typing import Any

import pytest

import twindex

from .conftest import KEY

QUESTION = "Which bird cannot fly, and where does it live?"
GENERATOR = "extractive"
MODEL = f"rag:birds:{GENERATOR}"
MESSAGES = [{"role": "user", "content": QUESTION}]

Cited = list[tuple[int, int, list[str]]]
"""(start, end, ids of the sources) of each citation."""


def quoted(citations: Any) -> Cited:
    """Return the citations of a native reply."""
    return [
        (one["start"], one["end"], [quote["id"] for quote in one["quotes"]]) for one in citations
    ]


def annotated(annotations: Any, results: Any) -> Cited:
    """Return the citations of annotations, whose addresses are those of search results."""
    ids = {one["url"]: one["id"] for one in results}
    cited: dict[tuple[int, int], list[str]] = {}
    for one in annotations:
        cited.setdefault((one.start_index, one.end_index), []).append(ids[one.url])
    return [(start, end, found) for (start, end), found in cited.items()]


@pytest.fixture
def native(server: Any) -> Any:
    """The reply of the native route."""
    body = {"question": QUESTION, "generator": GENERATOR}
    found = server.http.post("/v1/collections/birds/answer", json=body).json()
    assert len(found["sources"]) > 1
    assert found["citations"]
    return found


def test_the_library_and_the_client_agree(server, native):
    with (
        twindex.open(server.root / "birds", read_only=True) as birds,
        twindex.Client(server.url, api_key=KEY) as client,
    ):
        for collection in (birds, client.open("birds")):
            answer = collection.answer(QUESTION, generator=GENERATOR)
            assert answer.text == native["text"]
            found = [(one.id, one.score, one.start, one.end) for one in answer.sources]
            expected = [(s["id"], s["score"], s["start"], s["end"]) for s in native["sources"]]
            assert found == expected
            cited = [
                (one.start, one.end, [quote.id for quote in one.quotes]) for one in answer.citations
            ]
            assert cited == quoted(native["citations"])
            assert answer.usage.prompt_tokens == native["usage"]["prompt_tokens"]


def test_the_interfaces_of_openai_agree(openai, native):
    chat = openai.chat.completions.create(model=MODEL, messages=MESSAGES)
    response = openai.responses.create(model=MODEL, input=QUESTION)
    message = chat.choices[0].message
    assert message.content == response.output_text == native["text"]
    tokens = native["usage"]["prompt_tokens"]
    assert chat.usage.prompt_tokens == response.usage.input_tokens == tokens
    for reply, places in (
        (chat, [one.url_citation for one in message.annotations]),
        (response, response.output[0].content[0].annotations),
    ):
        found = [(one["id"], one["score"], one["snippet"]) for one in reply.search_results]
        assert found == [(s["id"], s["score"], s["text"]) for s in native["sources"]]
        assert annotated(places, reply.search_results) == quoted(native["citations"])
        assert quoted(reply.twindex["citations"]) == quoted(native["citations"])
        assert reply.twindex["outcome"] == native["outcome"]
        assert reply.twindex["left_out"] == native["left_out"]


def test_the_interface_of_cohere_agrees(cohere, native):
    keep = {"additional_body_parameters": {"twindex": {"citations": {"markers": "keep"}}}}
    reply = cohere.chat(model=MODEL, messages=MESSAGES, request_options=keep)
    assert reply.message.content[0].text == native["text"]
    found = [(c.start, c.end, [s.id for s in c.sources]) for c in reply.message.citations]
    assert found == quoted(native["citations"])
    assert reply.usage.tokens.input_tokens == native["usage"]["prompt_tokens"]


def test_a_vector_store_has_the_hits_of_the_search(server, openai):
    page = openai.vector_stores.search("birds", query=QUESTION)
    body = {"query": QUESTION}
    hits = server.http.post("/v1/collections/birds/search", json=body).json()["hits"]
    assert [(one.file_id, one.score) for one in page] == [(h["id"], h["score"]) for h in hits]


def test_an_invalid_field_has_the_same_message_everywhere(server, openai, cohere):
    import cohere as cohere_package
    import openai as openai_package

    wrong = {"search": {"limit": 0}}
    body = {"question": QUESTION, **wrong}
    plain = server.http.post("/v1/collections/birds/answer", json=body).json()["errors"][0]
    with pytest.raises(openai_package.BadRequestError) as raised:
        openai.chat.completions.create(
            model=MODEL, messages=MESSAGES, extra_body={"twindex": wrong}
        )
    options = {"additional_body_parameters": {"twindex": wrong}}
    with pytest.raises(cohere_package.UnprocessableEntityError) as refused:
        cohere.chat(model=MODEL, messages=MESSAGES, request_options=options)
    for errors in (raised.value.body["errors"], refused.value.body["errors"]):
        assert errors[0] == {**plain, "field": f"twindex.{plain['field']}"}
