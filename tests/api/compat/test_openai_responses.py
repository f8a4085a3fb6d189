"""OpenAI's official client: responses, and searches of vector stores."""

from __future__ import annotations

from typing import Any

import pytest

QUESTION = "Which bird cannot fly?"


def ask(client: Any, **fields: Any) -> Any:
    return client.responses.create(**{"model": "rag:birds", "input": QUESTION, **fields})


def test_a_response_has_the_answer_of_a_chat_completion(openai):
    reply = ask(openai, metadata={"a": "b"})
    talk: Any = [{"role": "user", "content": QUESTION}]
    chat = openai.chat.completions.create(model="rag:birds", messages=talk)
    message = chat.choices[0].message
    assert reply.output_text == message.content
    assert (reply.status, reply.error, reply.metadata) == ("completed", None, {"a": "b"})
    (item,) = reply.output
    found = [one.model_dump(exclude={"type", "supported"}) for one in item.content[0].annotations]
    assert found == [one.url_citation.model_dump() for one in message.annotations]
    assert {one.type for one in item.content[0].annotations} == {"url_citation"}
    assert reply.usage.input_tokens == chat.usage.prompt_tokens
    assert reply.search_results == chat.search_results
    assert reply.twindex["citations"] == chat.twindex["citations"]


def test_a_stream_ends_with_the_response(openai):
    whole, events = ask(openai), list(ask(openai, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [event.type for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    text = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    assert text == whole.output_text == events[-1].response.output_text
    added = [e.annotation for e in events if e.type == "response.output_text.annotation.added"]
    annotations = whole.output[0].content[0].annotations
    assert [dict(one) for one in added] == [dict(one) for one in annotations]
    assert events[-1].response.usage == whole.usage


def test_the_streaming_helper_of_the_client_reads_the_stream(openai):
    with openai.responses.stream(model="rag:birds", input=QUESTION) as stream:
        for _ in stream:
            pass
        assert stream.get_final_response().output_text == ask(openai).output_text


def test_a_reply_can_be_sent_back_as_a_turn(openai):
    first = ask(openai)
    talk = [{"role": "user", "content": QUESTION}]
    talk += [one.model_dump(exclude_none=True) for one in first.output]
    talk += [{"role": "user", "content": "Where does the kiwi live?"}]
    assert ask(openai, input=talk).twindex["query"] == "Where does the kiwi live?"


def test_a_limit_makes_the_response_incomplete(openai):
    reply = ask(openai, max_output_tokens=2)
    assert reply.status == "incomplete"
    assert reply.incomplete_details.reason == "max_output_tokens"
    assert list(ask(openai, max_output_tokens=2, stream=True))[-1].type == "response.incomplete"


def test_a_stream_that_fails_ends_with_an_error(openai):
    *_, last = ask(openai, model="rag:birds:bad", stream=True)
    assert last.type == "error"
    assert "fails after 1 words" in last.message


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"instructions": "Be brief."}, "instructions"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"store": True}, "store"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"text": {"format": {"type": "json_object"}}}, "text"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type"),
        ({"input": [{"role": "system", "content": "x"}]}, "input[0].role"),
    ],
)
def test_what_no_generator_supports_is_refused_by_name(openai, fields, name):
    import openai as package

    with pytest.raises(package.BadRequestError) as raised:
        ask(openai, **fields)
    assert raised.value.param == name


def test_a_collection_is_searched_as_a_vector_store(server, openai):
    page = openai.vector_stores.search("birds", query="birds that cannot fly", max_num_results=2)
    body = {"query": "birds that cannot fly", "limit": 2}
    hits = server.http.post("/v1/collections/birds/search", json=body).json()["hits"]
    assert [(one.file_id, one.score) for one in page] == [(h["id"], h["score"]) for h in hits]
    kiwi = next(one for one in page if one.file_id == "kiwi")
    assert kiwi.filename == "Kiwi"
    assert kiwi.attributes == {"url": "https://birds.example/kiwi"}
    assert kiwi.content[0].text in "The kiwi cannot fly. It lives in New Zealand."


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"type": "eq", "key": "id", "value": "emu"}, {"emu"}),
        ({"type": "nin", "key": "id", "value": ["emu"]}, {"kiwi", "swift"}),
        ({"type": "or", "filters": []}, set()),
        (
            {
                "type": "and",
                "filters": [
                    {"type": "in", "key": "id", "value": ["emu", "kiwi"]},
                    {"type": "ne", "key": "id", "value": "emu"},
                ],
            },
            {"kiwi"},
        ),
    ],
)
def test_filters_of_vector_stores_select_documents(openai, filters, found):
    page = openai.vector_stores.search("birds", query="birds that fly", filters=filters)
    assert {one.file_id for one in page} == found


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"rewrite_query": True}, "rewrite_query"),
        ({"ranking_options": {"score_threshold": 0.5}}, "ranking_options.score_threshold"),
        ({"query": ["a", "b"]}, "query"),
        ({"max_num_results": 51}, "max_num_results"),
        ({"filters": {"type": "like", "key": "a", "value": "b"}}, "filters.type"),
        ({"filters": {"type": "eq", "key": "a"}}, "filters"),
        ({"filters": {"type": "gt", "key": "a", "value": True}}, "filters.value"),
        (
            {"filters": {"type": "and", "filters": [{"type": "in", "key": "a", "value": "b"}]}},
            "filters.filters[0].value",
        ),
        ({"filters": {"type": "nin", "key": "a", "value": [{}]}}, "filters.value"),
        ({"extra_body": {"twindex": {"legs": [{"name": "nope"}]}}}, None),
    ],
)
def test_what_a_search_cannot_express_is_refused_by_name(openai, fields, name):
    import openai as package

    with pytest.raises(package.BadRequestError) as raised:
        openai.vector_stores.search("birds", **{"query": "a", **fields})
    assert name is None or raised.value.param == name
