"""OpenAIModel against a server with scripted replies."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pytest

from twindex.core import InvalidInputError, ModelError, UnsupportedError
from twindex.llm import FakeModel, Message, Sampling
from twindex.llm.server.openai import OpenAIModel

CHAT = [Message("user", "Who?")]


def chat(text: str | None, finish: str = "stop", **usage: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}}
    return {"choices": [{**choice, "finish_reason": finish}], "usage": usage or None}


def plain(text: str, finish: str = "stop") -> dict[str, Any]:
    return {"choices": [{"index": 0, "text": text, "finish_reason": finish}]}


def event(value: Any) -> bytes:
    return b"data: " + (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n\n"


def delta(text: str | None, finish: str | None = None) -> bytes:
    return event({"choices": [{"delta": {"content": text}, "finish_reason": finish}]})


DONE = event(b"[DONE]")


def test_fingerprint_and_capabilities() -> None:
    model = OpenAIModel("https://host.example:8443/api/v1/", "org/tiny")
    assert model.name == "org/tiny"
    assert model.capabilities == {"generate", "likelihood"}
    with pytest.raises(UnsupportedError, match="does not support states"):
        model.read([[1]])
    assert model.fingerprint == {"server": "host.example:8443/api/v1", "model": "org/tiny"}


def test_conversation_is_sent_to_chat_completions(server: Any) -> None:
    details = {"cached_tokens": 4}
    server.replies = [
        chat("Ada.", prompt_tokens=7, completion_tokens=2, prompt_tokens_details=details)
    ]
    sampling = Sampling(max_tokens=5, stop=("\n",), temperature=0.5, top_p=0.9, seed=3)
    (answer,) = server.model().generate([CHAT], sampling)
    assert (answer.text, answer.finish) == ("Ada.", "stop")
    assert answer.usage.calls == 1
    assert answer.usage.prompt_tokens == 7
    assert answer.usage.cached_tokens == 4
    assert answer.usage.completion_tokens == 2
    assert answer.usage.seconds > 0
    ((path, body, headers),) = server.requests
    assert path == "/v1/chat/completions"
    assert body == {
        "model": "tiny",
        "messages": [{"role": "user", "content": "Who?"}],
        "max_tokens": 5,
        "stop": ["\n"],
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 3,
    }
    assert "Authorization" not in headers


def test_last_assistant_message_is_continued(server: Any) -> None:
    server.replies = [chat("Ada", "length")]
    (answer,) = server.model().generate([[*CHAT, Message("assistant", 'It is "')]])
    assert (answer.text, answer.finish) == ("Ada", "length")
    body = server.requests[0][1]
    assert body["messages"][-1] == {"role": "assistant", "content": 'It is "'}
    assert (body["add_generation_prompt"], body["continue_final_message"]) == (False, True)
    assert "stop" not in body


def test_texts_are_returned_in_order(server: Any) -> None:
    server.replies = [lambda _, body: plain(body["prompt"].upper())]
    prompts = [f"prompt {number}" for number in range(30)]
    answers = server.model().generate(prompts)
    assert [answer.text for answer in answers] == [prompt.upper() for prompt in prompts]
    assert {path for path, _, _ in server.requests} == {"/v1/completions"}
    assert sum(answer.usage.calls for answer in answers) == 30
    assert answers[0].usage.prompt_tokens == answers[0].usage.completion_tokens == 0
    assert server.model().generate([]) == []


def test_answer_without_content_is_empty(server: Any) -> None:
    server.replies = [chat(None, "length")]
    assert server.model().generate([CHAT])[0].text == ""


def test_first_failure_cancels_the_rest(server: Any) -> None:
    bad = "prompt 3"
    server.replies = [lambda _, body: (400, "no") if body["prompt"] == bad else plain("yes")]
    with pytest.raises(ModelError, match="HTTP status 400"):
        server.model().generate([f"prompt {number}" for number in range(200)])
    assert len(server.requests) < 100  # the rest is not sent any more


def test_stream_yields_chunks_then_usage(server: Any) -> None:
    usage = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    begin = [b": hello\n\n", event({"choices": [{"delta": {"role": "assistant"}}]})]
    words = [delta("né\u2028"), delta(""), delta("e"), delta(None, "length")]
    whole = b"".join([*begin, *words, event(usage), DONE])
    cuts = [whole[start : start + 7] for start in range(0, len(whole), 7)]  # through characters
    server.replies = [(200, cuts), (200, [whole.replace(b"\n", b"\r\n")])]
    for _ in range(2):
        *chunks, last = server.model().stream(CHAT, Sampling(max_tokens=2))
        assert [chunk.text for chunk in chunks] == ["né\u2028", "e"]
        assert all(chunk.finish is None for chunk in chunks)
        assert (last.text, last.finish) == ("", "length")
        assert last.usage is not None
        assert (last.usage.calls, last.usage.prompt_tokens) == (1, 3)
    body = server.requests[0][1]
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}


def test_stream_yields_text_without_delay(server: Any) -> None:
    first, last = (
        event({"choices": [{"text": text, "finish_reason": finish}]})
        for text, finish in (("one", None), (" two", "stop"))
    )
    server.replies = [(200, [first, 1.0, last])]
    begun = time.monotonic()
    chunks = server.model().stream("count")
    assert next(chunks).text == "one"
    assert time.monotonic() - begun < 0.9
    assert [chunk.text for chunk in chunks] == [" two", ""]  # the end without [DONE] is an end


def test_unfinished_stream_can_be_closed(server: Any) -> None:
    server.replies = [(200, [delta("word ")] * 100_000 + [delta("", "stop"), DONE])]
    chunks = server.model().stream(CHAT)
    assert next(chunks).text == "word "
    chunks.close()  # type: ignore[attr-defined]


class Scorer:
    """Replies as vLLM does to `/tokenize` for texts and conversations, and to `echo` of tokens.

    Every text has the token 1, then the tokens of the fake model. The log probability of a token is
    minus its number divided by 10,000.
    """

    model = FakeModel()

    def __call__(self, path: str, body: dict[str, Any]) -> Any:
        if path == "/tokenize":
            tokens = self.tokens(body)
            return {"tokens": tokens, "count": len(tokens), "max_model_len": 100}
        assert path == "/v1/completions"
        assert (body["echo"], body["logprobs"], body["max_tokens"]) == (True, 1, 1)
        choices = [
            {"index": number, "logprobs": {"token_logprobs": [None, *self.scores(row[1:]), -0.5]}}
            for number, row in enumerate(body["prompt"])
        ]
        return {"choices": choices, "usage": {"prompt_tokens": 9, "completion_tokens": 2}}

    def tokens(self, body: dict[str, Any]) -> list[int]:
        if "prompt" in body:
            return [1] * body["add_special_tokens"] + self.model.tokenize_markup(body["prompt"])
        messages = [Message(**turn) for turn in body["messages"]]
        continued = messages[-1].role == "assistant"
        assert body.get("continue_final_message", False) == continued
        assert body.get("add_generation_prompt", True) == (not continued)
        return self.model.tokenize_markup(self.model.render(messages))

    def scores(self, tokens: list[int]) -> list[float]:
        return [-token / 10_000 for token in tokens]

    def of(self, text: str) -> float:
        return sum(self.scores(self.model.tokenize_markup(text)))


def test_likelihoods_of_texts_and_conversations(server: Any) -> None:
    scorer = Scorer()
    server.replies = [scorer]
    prompts = ["the red", [Message("user", "Which?")], "the sea is "]
    prompts.append([*CHAT, Message("assistant", "It is")])  # type: ignore[arg-type]
    continuations = [" fox", " deep blue"]
    found = server.model().likelihood(prompts, continuations)
    wanted = [scorer.of(text) for text in continuations]
    assert np.allclose(found.total, [wanted] * 4)
    assert found.tokens.tolist() == [[1, 2]] * 4
    assert found.usage.calls == 8
    assert found.usage.prompt_tokens == 36
    assert server.model().likelihood([], ["a"]).total.shape == (0, 1)
    assert server.model().likelihood(["a"], []).total.shape == (1, 0)


def test_continuation_without_a_token_boundary(server: Any) -> None:
    scorer = Scorer()
    server.replies = [scorer]
    found = server.model().likelihood(["a foot"], ["ball game"])  # "football" is one token
    assert np.allclose(found.total, scorer.of("ball game"))
    assert found.tokens.tolist() == [[2]]


def test_empty_prompts_and_continuations_are_refused(server: Any) -> None:
    server.replies = [{"tokens": []}]
    with pytest.raises(InvalidInputError, match=r"continuations\[1\]"):
        server.model().likelihood(["a"], ["b", ""])
    with pytest.raises(InvalidInputError, match=r"prompts\[0\]"):
        server.model().likelihood([""], ["b"])


@pytest.mark.parametrize(
    "reply",
    [
        (400, {"error": {"message": "Only no echo is supported"}}),
        (404, "no such path"),
        {"choices": [{"index": 0, "text": "a", "logprobs": None}]},
        {"choices": [{"index": 0, "logprobs": {"token_logprobs": [-0.5]}}]},  # echo passed over
        {"choices": [{"index": 0, "logprobs": {"token_logprobs": [-0.5] * 5}}]},
    ],
)
def test_server_without_likelihoods_is_named(server: Any, reply: Any) -> None:
    server.replies = [{"tokens": [1, 2]}, {"tokens": [1, 2, 3]}, reply]
    with pytest.raises(UnsupportedError, match=r"likelihood.*vLLM") as caught:
        server.model().likelihood(["a"], ["b"])
    assert server.url in str(caught.value)


def test_server_that_tokenizes_only_texts_is_named(server: Any) -> None:
    server.replies = [lambda _, body: {"tokens": [1, 2] if "content" in body else []}]
    with pytest.raises(UnsupportedError, match="does not support conversations"):
        server.model().likelihood([CHAT], ["b"])
    server.replies = [{"tokens": [1, 2]}, {"tokens": [1, 2]}, {"tokens": []}]
    with pytest.raises(ModelError, match="no tokens for a continuation"):
        server.model().likelihood(["a"], ["b"])


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ((400, {"message": "longer than 100 tokens"}), "HTTP status 400: longer than"),
        ({"choices": [{"index": 1}]}, "index"),
        ({"choices": [{"index": 0, "logprobs": {}}]}, "token_logprobs"),
        (
            {"choices": [{"index": 0, "logprobs": {"token_logprobs": [None] * 3}}]},
            "numbers of at most 0",
        ),
        (
            {"choices": [{"index": 0, "logprobs": {"token_logprobs": [0, 0, "1"]}}]},
            "numbers of at most 0",
        ),
        (
            {"choices": [{"index": 0, "logprobs": {"token_logprobs": [0, 0, 0.1]}}]},
            "numbers of at most 0",
        ),
        (
            b'{"choices": [{"index": 0, "logprobs": {"token_logprobs": [0, 0, NaN]}}]}',
            "numbers of at most",
        ),
    ],
)
def test_invalid_likelihoods_are_refused(server: Any, reply: Any, problem: str) -> None:
    reply = (200, reply) if isinstance(reply, bytes) else reply
    server.replies = [{"tokens": [1, 2]}, {"tokens": [1, 2, 3]}, reply]
    with pytest.raises(ModelError, match=problem) as caught:
        server.model().likelihood(["a"], ["b"])
    assert not isinstance(caught.value, UnsupportedError)


def test_count_tokens_uses_tokenize(server: Any) -> None:
    server.replies = [Scorer()]
    assert server.model().count_tokens(["a red fox", "", "b"]) == [3, 0, 1]
    assert server.requests[0][0] == "/tokenize"
    server.replies = [lambda _, body: {"tokens": list(range(len(body["content"])))}]  # llama.cpp
    assert server.model().count_tokens(["abc"]) == [3]
    server.replies = [(404, "no such path")]
    problem = r"does not return tokens of a text .*/tokenize replied with HTTP status 404"
    with pytest.raises(UnsupportedError, match=problem):
        server.model().count_tokens(["a"])
    for rubbish in ({}, {"tokens": 3}, {"tokens": ["a"]}):
        server.replies = [rubbish]
        with pytest.raises(ModelError, match="tokens"):
            server.model().count_tokens(["a"])
