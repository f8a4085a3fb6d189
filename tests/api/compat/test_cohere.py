"""Cohere's official client asks a server process questions, embeds and reranks."""

from __future__ import annotations

import base64
import re
import time
from typing import Any

import numpy as np
import pytest

from twindex.encoders import DenseEncoderConfig, FakeDenseEncoder

QUESTION = "Which bird cannot fly?"
TEXTS = ["The kiwi cannot fly.", "Swifts fly."]
DOCUMENTS = [
    {"id": "k", "data": {"title": "Kiwi", "text": "The kiwi cannot fly.", "url": "https://k"}},
    "Swifts fly while they sleep.",
]


def ask(client: Any, *, model: str = "rag:birds", **fields: Any) -> Any:
    return client.chat(model=model, messages=[{"role": "user", "content": QUESTION}], **fields)


def stream(client: Any, *, model: str = "rag:birds", **fields: Any) -> Any:
    talk = [{"role": "user", "content": QUESTION}]
    return client.chat_stream(model=model, messages=talk, **fields)


def native(server: Any) -> Any:
    body = {"question": QUESTION, "citations": {"markers": "remove"}}
    return server.http.post("/v1/collections/birds/answer", json=body).json()


def test_the_answer_equals_the_native_answer(server, cohere):
    reply, whole = ask(cohere), native(server)
    assert reply.finish_reason == "COMPLETE"
    assert reply.message.content[0].text == whole["text"]
    assert reply.usage.tokens.input_tokens == whole["usage"]["prompt_tokens"]
    assert len(reply.message.citations) == len(whole["citations"]) > 0
    for found, citation in zip(reply.message.citations, whole["citations"], strict=True):
        assert (found.start, found.end) == (citation["start"], citation["end"])
        assert found.text == whole["text"][found.start : found.end]
        assert [one.id for one in found.sources] == [one["id"] for one in citation["quotes"]]
        assert found.sources[0].type == "document"
        assert found.sources[0].document["title"] == found.sources[0].id.title()


@pytest.mark.parametrize("mode", ["FAST", "ACCURATE", "OFF", None])
def test_a_stream_has_the_same_answer_as_a_reply(cohere, mode):
    options = {} if mode is None else {"citation_options": {"mode": mode}}
    whole, events = ask(cohere, **options), list(stream(cohere, **options))
    kinds = [event.type for event in events]
    assert kinds[:2] == ["message-start", "content-start"]
    assert kinds[-2:] == ["content-end", "message-end"]
    texts = [e.delta.message.content.text for e in events if e.type == "content-delta"]
    assert "".join(texts) == whole.message.content[0].text
    cited = [e.delta.message.citations for e in events if e.type == "citation-start"]
    assert cited == whole.message.citations
    assert bool(cited) == (mode != "OFF")
    indices = [e.index for e in events if e.type == "citation-end"]
    assert indices == list(range(len(cited)))
    after_text = max(i for i, kind in enumerate(kinds) if kind == "content-delta")
    inline = "citation-start" in kinds[:after_text]
    assert inline == (mode in ("FAST", None))
    assert events[-1].delta.finish_reason == "COMPLETE"
    assert events[-1].delta.usage == whole.usage


def test_a_question_is_answered_from_documents_of_the_request(cohere):
    for model in ("fake", "extractive"):
        reply = ask(cohere, model=model, documents=DOCUMENTS)
        cited = [source for one in reply.message.citations for source in one.sources]
        kiwi = next(one for one in cited if one.id == "k")
        assert kiwi.document == {"id": "k", **DOCUMENTS[0]["data"]}
        assert reply.twindex["generator"] == model
        events = list(stream(cohere, model=model, documents=DOCUMENTS))
        texts = [e.delta.message.content.text for e in events if e.type == "content-delta"]
        assert "".join(texts) == reply.message.content[0].text


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"model": "rag:birds", "documents": DOCUMENTS}, "documents"),
        ({"model": "fake", "documents": [{"data": {"other": "x"}}]}, "documents[0]"),
        (
            {"model": "fake", "documents": [{"id": "doc:1", "data": {"text": "a"}}, "b"]},
            "documents[1]",
        ),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"p": 0.5}, "p"),
        ({"k": 3}, "k"),
        ({"stop_sequences": ["x"]}, "stop_sequences"),
        ({"safety_mode": "STRICT"}, "safety_mode"),
        ({"citation_options": {"mode": "sometimes"}}, "citation_options.mode"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
    ],
)
def test_what_no_generator_supports_is_refused_by_name(cohere, fields, name):
    from cohere.errors import UnprocessableEntityError

    with pytest.raises(UnprocessableEntityError) as raised:
        ask(cohere, **fields)
    assert raised.value.body["errors"][0]["field"] == name
    assert raised.value.body["message"]


def test_values_that_ask_for_nothing_else_are_accepted(cohere):
    reply = ask(
        cohere, k=0, frequency_penalty=0, response_format={"type": "text"}, temperature=0, seed=3
    )
    assert reply.finish_reason == "COMPLETE"
    assert ask(cohere, max_tokens=2).finish_reason == "MAX_TOKENS"


def counted(server: Any) -> list[float]:
    """Return the tokens that the generator `bad` read and wrote, from the metrics."""
    found = re.findall(
        r'_answer_(?:prompt|completion)_tokens_total\{generator="bad"\} (\S+)', server.metrics()
    )
    return sorted(map(float, found)) or [0.0, 0.0]


@pytest.mark.parametrize("given", [False, True], ids=["collection", "documents"])
def test_a_stream_that_fails_says_why_and_what_it_used_in_its_last_event(server, cohere, given):
    before = counted(server)
    fields = {"documents": DOCUMENTS} if given else {}
    *_, last = stream(cohere, model="bad" if given else "rag:birds:bad", **fields)
    assert last.type == "message-end"
    assert last.delta.finish_reason == "ERROR"
    assert "fails after 1 words" in last.delta.error
    tokens = last.delta.usage.tokens
    assert tokens.output_tokens == 1 < 10 < tokens.input_tokens
    after = counted(server)
    assert [new - old for new, old in zip(after, before, strict=True)] == [
        tokens.output_tokens,
        tokens.input_tokens,
    ]


def test_a_client_that_leaves_frees_the_only_thread(cohere):
    began = time.monotonic()
    events = stream(cohere, model="rag:birds:slow")
    for event in events:
        if event.type == "content-delta":
            break
    events.close()
    assert ask(cohere).finish_reason == "COMPLETE"
    assert time.monotonic() - began < 60


@pytest.mark.parametrize("role", ["document", "query"])
def test_embeddings_have_every_form_of_the_interface(cohere, role):
    kinds = ["float", "int8", "uint8", "binary", "ubinary", "base64"]
    reply = cohere.embed(
        model="birds/dense",
        texts=TEXTS,
        input_type=f"search_{role}",
        embedding_types=kinds,
    )
    encoder = FakeDenseEncoder(DenseEncoderConfig(model="fake"))
    dense = encoder.encode(TEXTS, role=role).dense
    assert dense is not None
    found = reply.embeddings
    np.testing.assert_allclose(found.float_, dense, atol=1e-6)
    plain = [np.frombuffer(base64.b64decode(one), "<f4") for one in found.base64]
    np.testing.assert_allclose(plain, dense, atol=1e-6)
    bits = np.packbits(dense > 0, axis=1)
    assert found.ubinary == bits.tolist()
    assert found.binary == (bits.astype(int) - 128).tolist()
    scaled = np.rint(dense / np.abs(dense).max(axis=1, keepdims=True) * 127).astype(int)
    assert found.int8 == scaled.tolist()
    assert found.uint8 == (scaled + 128).tolist()
    assert reply.texts == TEXTS
    assert reply.meta.billed_units.input_tokens == 6


def test_embeddings_are_numbers_by_default_and_accept_parts_of_texts(cohere):
    parts = [{"content": [{"type": "text", "text": text}]} for text in TEXTS]
    plain = cohere.embed(model="birds/dense", texts=TEXTS, input_type="search_document")
    reply = cohere.embed(model="birds/dense", inputs=parts, input_type="search_document")
    assert reply.embeddings.float_ == plain.embeddings.float_
    assert plain.embeddings.int8 is None


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"input_type": "clustering"}, "input_type"),
        ({"truncate": "START"}, "truncate"),
        ({"truncate": "NONE", "model": "small/dense"}, "texts[0]"),
        ({"images": ["data:"]}, "images"),
        ({"max_tokens": 3}, "max_tokens"),
        ({"output_dimension": 3}, "output_dimension"),
        ({"embedding_types": ["float16"]}, "embedding_types[0]"),
    ],
)
def test_what_no_encoder_supports_is_refused_by_name(cohere, fields, name):
    from cohere.errors import UnprocessableEntityError

    given = {
        "model": "birds/dense",
        "texts": ["one two three four five six seven eight nine"],
        "input_type": "search_document",
        **fields,
    }
    with pytest.raises(UnprocessableEntityError) as raised:
        cohere.embed(**given)
    assert raised.value.body["errors"][0]["field"] == name


def test_rerank_returns_the_order_of_the_native_interface(server, cohere):
    texts = ["Swifts fly.", "The kiwi cannot fly.", "Trees grow."]
    reply = cohere.rerank(model="fast", query=QUESTION, documents=texts, top_n=2)
    body = {"model": "fast", "query": QUESTION, "documents": texts, "top_n": 2}
    plain = server.http.post("/v1/rerank", json=body).json()
    assert [(one.index, one.relevance_score) for one in reply.results] == [
        (one["index"], one["relevance_score"]) for one in plain["results"]
    ]
    assert reply.meta.billed_units.search_units == 1
