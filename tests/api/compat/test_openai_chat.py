"""OpenAI's official client asks a server process questions: whole answers and streams."""

from __future__ import annotations

import time
from typing import Any

import pytest

QUESTION = "Which bird cannot fly?"


def messages(*texts: str) -> list[Any]:
    roles = ("user", "assistant")
    return [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]


def ask(client: Any, *texts: str, model: str = "rag:birds", **fields: Any) -> Any:
    return client.chat.completions.create(model=model, messages=messages(*texts), **fields)


def native(server: Any, **fields: Any) -> dict[str, Any]:
    body = {"question": QUESTION, **fields}
    found: dict[str, Any] = server.http.post("/v1/collections/birds/answer", json=body).json()
    return found


def test_the_answer_equals_the_native_answer(server, openai):
    reply, whole = ask(openai, QUESTION), native(server)
    (choice,) = reply.choices
    assert choice.message.role == "assistant"
    assert choice.message.content == whole["text"]
    assert choice.finish_reason == "stop"
    assert reply.object == "chat.completion"
    assert reply.model == "rag:birds"
    assert reply.usage.prompt_tokens == whole["usage"]["prompt_tokens"] > 0
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert reply.twindex["citations"] == whole["citations"]
    assert [one["id"] for one in reply.search_results] == [s["id"] for s in whole["sources"]]
    assert reply.citations == [one["url"] for one in reply.search_results]


def test_annotations_name_statements_and_addresses(server, openai):
    message = ask(openai, QUESTION).choices[0].message
    whole = native(server)
    quotes = [(c, q) for c in whole["citations"] for q in c["quotes"]]
    assert len(message.annotations) == len(quotes) > 0
    for annotation, (citation, quote) in zip(message.annotations, quotes, strict=True):
        assert annotation.type == "url_citation"
        found = annotation.url_citation
        assert (found.start_index, found.end_index) == (citation["start"], citation["end"])
        assert found.title == quote["id"].title()
        if quote["id"] == "kiwi":
            assert found.url == "https://birds.example/kiwi"
        else:
            assert found.url.startswith(server.url)
            assert server.http.get(found.url).status_code == 200


def test_a_stream_has_the_same_answer_as_a_reply(openai):
    whole = ask(openai, QUESTION)
    options = {"include_usage": True}
    chunks = list(ask(openai, QUESTION, stream=True, stream_options=options))
    *before, last, counted = chunks
    assert before[0].choices[0].delta.role == "assistant"
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk.id for chunk in chunks}) == 1
    text = "".join(chunk.choices[0].delta.content or "" for chunk in before)
    assert text == whole.choices[0].message.content
    assert last.choices[0].finish_reason == "stop"
    annotations = [one.model_dump() for one in whole.choices[0].message.annotations]
    assert last.choices[0].delta.annotations == annotations
    assert (last.citations, last.search_results) == (whole.citations, whole.search_results)
    assert last.twindex["citations"] == whole.twindex["citations"]
    assert counted.choices == []
    assert counted.usage == whole.usage
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_a_stream_without_the_option_has_no_usage(server, openai):
    chunks = list(ask(openai, QUESTION, stream=True))
    assert chunks[-1].choices[0].finish_reason == "stop"
    body = {"model": "rag:birds", "messages": messages(QUESTION), "stream": True}
    text = server.http.post("/v1/chat/completions", json=body).text
    assert text.endswith("data: [DONE]\n\n")
    assert '"usage":' not in text.replace('"twindex"', "")


def test_a_model_names_a_generator(openai):
    assert ask(openai, QUESTION, model="rag:birds:extractive").twindex["generator"] == "extractive"
    further = {"twindex": {"generator": "extractive"}}
    assert ask(openai, QUESTION, extra_body=further).twindex["generator"] == "extractive"


def test_fields_of_an_answer_are_in_an_object_of_their_own(openai):
    further = {
        "twindex": {
            "search": {"filter": {"id": "emu"}},
            "citations": {"markers": "remove"},
        }
    }
    reply = ask(openai, QUESTION, extra_body=further)
    assert [one["id"] for one in reply.search_results] == ["emu"]
    assert "[1]" not in reply.choices[0].message.content


def test_earlier_messages_are_turns(openai):
    first = ask(openai, QUESTION).choices[0].message
    talk = [
        {"role": "user", "content": [{"type": "text", "text": QUESTION}]},
        first.model_dump(),
        {"role": "user", "content": "Where does the kiwi live?"},
    ]
    reply = openai.chat.completions.create(model="rag:birds", messages=talk)
    assert reply.choices[0].message.content
    assert reply.twindex["query"] == "Where does the kiwi live?"


def test_the_limit_of_tokens_ends_the_answer(openai):
    for field in ("max_tokens", "max_completion_tokens"):
        reply = ask(openai, QUESTION, **{field: 2})
        assert reply.choices[0].finish_reason == "length"


def test_a_stream_that_fails_raises_the_error_of_the_client(openai):
    import openai as package

    stream = ask(openai, QUESTION, model="rag:birds:bad", stream=True)
    with pytest.raises(package.APIError) as raised:
        list(stream)
    assert "fails after 1 words" in raised.value.message
    assert raised.value.code == "model"


def test_a_client_that_leaves_frees_the_only_thread(server, openai):
    for _ in range(2):  # The second would wait for the first one's 20 s.
        began = time.monotonic()
        with ask(openai, QUESTION, model="rag:birds:slow", stream=True) as stream:
            texts = []
            for chunk in stream:
                texts.append(chunk.choices[0].delta.content)
                if len(texts) > 2:
                    break
        assert texts[1].startswith("word0")
        assert time.monotonic() - began < 60
    assert ask(openai, QUESTION).choices[0].finish_reason == "stop"


def test_a_slow_stream_arrives_word_by_word(openai):
    stream = ask(openai, QUESTION, model="rag:birds:slow", stream=True, max_tokens=20)
    times = [time.monotonic() for _ in stream]
    assert len(times) > 15
    assert times[-1] - times[0] > 0.4


def test_a_cancelled_request_frees_the_only_thread(server):
    import asyncio

    openai = pytest.importorskip("openai", reason="openai is not installed")

    async def scenario() -> str:
        async with openai.AsyncOpenAI(
            base_url=f"{server.url}/v1", api_key="secret", max_retries=0
        ) as client:
            create = client.chat.completions.create
            slow = asyncio.ensure_future(
                create(model="rag:birds:slow", messages=messages(QUESTION))
            )
            await asyncio.sleep(0.5)
            slow.cancel()
            reply = await create(model="rag:birds", messages=messages(QUESTION))
            return str(reply.choices[0].finish_reason)

    assert asyncio.run(scenario()) == "stop"


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"n": 2}, "n"),
        ({"top_p": 0.5}, "top_p"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"stop": "x"}, "stop"),
        ({"logprobs": True}, "logprobs"),
        ({"store": True}, "store"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"max_tokens": 3, "max_completion_tokens": 4}, "max_completion_tokens"),
        ({"extra_body": {"twindex": {"search": {"limt": 3}}}}, "twindex.search.limt"),
        ({"extra_body": {"nonsense": 1}}, "nonsense"),
    ],
)
def test_what_no_generator_supports_is_refused_by_name(openai, fields, name):
    import openai as package

    with pytest.raises(package.BadRequestError) as raised:
        ask(openai, QUESTION, **fields)
    assert raised.value.param == name
    assert name in raised.value.message
    assert raised.value.type == "invalid_request_error"


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 1, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0.0, "store": False},
        {"response_format": {"type": "text"}, "tools": [], "tool_choice": "none"},
        {"user": "me", "metadata": {"a": "b"}, "service_tier": "auto", "seed": 3},
    ],
)
def test_values_that_ask_for_nothing_else_are_accepted(openai, fields):
    assert ask(openai, QUESTION, temperature=0, **fields).choices


def test_instructions_are_refused_unless_the_request_ignores_them(openai):
    import openai as package

    talk = [{"role": "system", "content": "Be brief."}, *messages(QUESTION)]
    create = openai.chat.completions.create
    with pytest.raises(package.BadRequestError) as raised:
        create(model="rag:birds", messages=talk)
    assert raised.value.param == "messages[0].role"
    ignore = {"twindex": {"system_message": "ignore"}}
    assert create(model="rag:birds", messages=talk, extra_body=ignore).choices


@pytest.mark.parametrize(
    ("talk", "param"),
    [
        ([{"role": "tool", "tool_call_id": None, "content": "x"}], "messages[0].role"),
        ([*messages(QUESTION, "The kiwi.")], "messages[1].role"),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}],
            "messages[0].content[0].type",
        ),
        ([{"role": "user", "content": " "}], "messages[0].content"),
        ([*messages("", "The kiwi.", QUESTION), *messages("a")[:0]], None),
    ],
)
def test_messages_are_texts_of_user_and_assistant(openai, talk, param):
    import openai as package

    create = openai.chat.completions.create
    if param is None:
        assert create(model="rag:birds", messages=talk).choices
        return
    with pytest.raises(package.BadRequestError) as raised:
        create(model="rag:birds", messages=talk)
    assert raised.value.param == param
