"""Every failure of a server raises an error that describes it."""

from __future__ import annotations

import json
import logging
import socket
import time
from email.utils import formatdate
from typing import Any

import pytest

from twindex.core import ConfigError, InvalidInputError, ModelError, sse
from twindex.llm import Message
from twindex.llm.server import http_client
from twindex.llm.server.openai import OpenAIModel

KEY = "sk-very-secret"
CHAT = [Message("user", "Who?")]


def plain(text: str, finish: str = "stop") -> dict[str, Any]:
    return {"choices": [{"index": 0, "text": text, "finish_reason": finish}]}


def event(value: Any) -> bytes:
    return b"data: " + (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n\n"


def delta(text: str | None, finish: str | None = None) -> bytes:
    return event({"choices": [{"delta": {"content": text}, "finish_reason": finish}]})


DONE = event(b"[DONE]")


def test_unreachable_server_is_named() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
        with pytest.raises(ModelError, match=f"{url}/completions cannot be reached"):
            OpenAIModel(url, "tiny", retries=0).generate(["a"])


def test_timeout_is_not_retried(server: Any) -> None:
    def late(*_: Any) -> Any:
        time.sleep(0.5)
        return plain("late")

    server.replies = [late]
    with pytest.raises(ModelError, match=r"/completions did not answer within 0.1 seconds"):
        server.model(timeout_seconds=0.1, retries=2).generate(["a"])
    assert len(server.requests) == 1  # not tried again


def test_slow_reply_hits_the_timeout(server: Any) -> None:
    trickle = [piece for _ in range(100) for piece in (0.05, b" ")]
    server.replies = [(200, trickle, {"Content-Type": "application/json"})]
    begun = time.monotonic()
    with pytest.raises(ModelError, match="did not answer within"):
        server.model(timeout_seconds=0.3).generate(["a"])
    assert time.monotonic() - begun < 2


def test_large_reply_is_refused(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "LARGEST", 1 << 20)
    server.replies = [(200, b" " * (1 << 20) + b" ")]
    with pytest.raises(ModelError, match="larger than 1 MiB"):
        server.model().generate(["a"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"error": {"message": "model 'tiny'\n is not loaded", "code": 1}}, "'tiny' is not loaded"),
        ({"error": "no such model"}, "no such model"),
        ({"detail": [{"loc": "prompt"}]}, r'\[{"loc": "prompt"}\]'),
        ({"object": "error", "message": "too long"}, "too long"),
        (b"<html>Not here</html>", "<html>Not here</html>"),
        (b"", "no message"),
        (b"x" * 5000, r"x{300}\.\.\.$"),
    ],
)
def test_error_contains_the_message_of_the_server(server: Any, content: Any, said: str) -> None:
    server.replies = [(404, content)]
    problem = f"{server.url}/chat/completions replied with HTTP status 404: .*{said}"
    with pytest.raises(ModelError, match=problem):
        server.model(retries=2).generate([CHAT])
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_busy_server_is_retried(server: Any, status: int) -> None:
    server.replies = [(status, "busy"), (status, "busy"), plain("there")]
    assert server.model(retries=2).generate(["a"])[0].text == "there"
    server.replies = [(status, "busy")]
    server.requests.clear()
    with pytest.raises(ModelError, match=f"HTTP status {status}: busy"):
        server.model(retries=2).generate(["a"])
    assert len(server.requests) == 3
    server.replies = [(status, "busy"), (200, [delta("a", "stop"), DONE])]
    assert next(server.model(retries=1).stream(CHAT)).text == "a"


def test_retry_after_is_followed(server: Any) -> None:
    server.replies = [(429, "slowly", {"Retry-After": "1"}), plain("there")]
    begun = time.monotonic()
    assert server.model(retries=1).generate(["a"])[0].text == "there"
    assert time.monotonic() - begun >= 1
    for value in ("3600", formatdate(time.time() + 3600, usegmt=True)):
        server.requests.clear()
        server.replies = [(429, "slowly", {"Retry-After": value})]
        with pytest.raises(ModelError, match=r"slowly \(retry after 3\d{3}"):
            server.model(retries=5).generate(["a"])
        assert len(server.requests) == 1
    server.replies = [(429, "slowly", {"Retry-After": "soon"}), plain("there")]
    assert server.model(retries=1).generate(["a"])[0].text == "there"


def test_broken_connection_is_retried(server: Any) -> None:
    short = (200, b"{", {"Content-Length": "100", "Connection": "close"})
    server.replies = [short, plain("there")]
    assert server.model(retries=1).generate(["a"])[0].text == "there"
    server.replies = [short]
    with pytest.raises(ModelError, match="failed before the end of the reply"):
        server.model().generate(["a"])


def test_redirects_are_not_followed(server: Any) -> None:
    server.replies = [(307, b"", {"Location": "http://elsewhere.example/v1/completions"})]
    with pytest.raises(ModelError, match=r"redirects to http://elsewhere.example"):
        server.model(api_key=KEY).generate(["a"])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "replied with nothing instead of a JSON object"),
        (b"<html>hello</html>", "replied with <html>hello</html> instead of a JSON object"),
        (b"\xff\xfe", "instead of a JSON object"),
        (b"[" * 100_000, "instead of a JSON object"),
        ([b"[]"], "instead of a JSON object"),
        ({}, "no choices"),
        ({"choices": []}, r"no choices\[0\]"),
        ({"choices": "abc"}, r"choices\[0\] of the reply must be dict, got str"),
        ({"choices": [{"finish_reason": "stop"}]}, "no text"),
        (
            {"choices": [{"text": 5, "finish_reason": "stop"}]},
            "text of the reply must be str, got int",
        ),
        (plain("\ud83d"), "text of the reply is not valid Unicode"),
        ({"choices": [{"text": "a"}]}, "no finish_reason"),
        (plain("a", "content_filter"), "'content_filter'"),
        ({**plain("a"), "usage": "much"}, "usage of the reply must be dict, got str"),
        (
            {**plain("a"), "usage": {"prompt_tokens": "5"}},
            "prompt_tokens .* must be an integer >= 0",
        ),
        ({**plain("a"), "usage": {"completion_tokens": -1}}, "completion_tokens .* got -1"),
        ({"error": {"message": "in a reply of status 200"}}, "in a reply of status 200"),
    ],
)
def test_invalid_reply_is_refused(server: Any, content: Any, problem: str) -> None:
    server.replies = [(200, content)]
    with pytest.raises(ModelError, match=problem) as caught:
        server.model(retries=2).generate(["a"])
    assert f"{server.url}/completions" in str(caught.value)
    assert len(server.requests) == 1


def test_api_key_is_only_in_the_header(server: Any, caplog: pytest.LogCaptureFixture) -> None:
    model = server.model(api_key=KEY)
    assert repr(model) == f"OpenAIModel('{server.url}', 'tiny')"
    server.replies = [plain("a")]
    with caplog.at_level(logging.DEBUG):
        model.generate(["a"])
    assert server.requests[0][2]["Authorization"] == f"Bearer {KEY}"
    assert KEY not in caplog.text
    for reply in (
        (401, {"error": {"message": f"{KEY} is not valid"}}),
        (200, f"not JSON but {KEY}".encode()),
        (307, b"", {"Location": f"http://a.example/{KEY}"}),
    ):
        server.replies = [reply]
        with pytest.raises(ModelError) as caught:
            model.generate(["a"])
        assert KEY not in str(caught.value)
    for key in ("", "two words", "clé", "a\r\nHost: b"):
        with pytest.raises(ConfigError, match="api_key") as wrong:
            server.model(api_key=key)
        assert not key or key not in str(wrong.value)


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("base_url", {"base_url": "localhost:8000"}),
        ("base_url", {"base_url": "ftp://localhost"}),
        ("base_url", {"base_url": "http://"}),
        ("base_url", {"base_url": "http://[::1"}),
        ("base_url", {"base_url": "http://user:hunter2@localhost/v1"}),
        ("base_url", {"base_url": "http://localhost/v1?key=hunter2"}),
        ("base_url.*http://localhost:8000/v1", {"base_url": "http://localhost:8000/"}),
        ("model", {"model": ""}),
        ("timeout_seconds", {"timeout_seconds": 0}),
        ("timeout_seconds", {"timeout_seconds": float("nan")}),
        ("retries", {"retries": -1}),
    ],
)
def test_invalid_options_are_refused(field: str, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=field) as caught:
        OpenAIModel(**{"base_url": "http://localhost/v1", "model": "tiny", **options})
    assert "hunter2" not in str(caught.value)


def test_invalid_prompts_are_refused(server: Any) -> None:
    with pytest.raises(InvalidInputError, match="surrogate"):
        server.model().generate(["\ud800"])
    with pytest.raises(InvalidInputError, match="messages"):
        server.model().generate([[]])
    assert server.requests == []


@pytest.mark.parametrize(
    ("pieces", "problem"),
    [
        ([delta("half of"), delta("the te")[:-9]], "ended before the text was complete"),
        ([delta("a"), event(b"{what"), DONE], "replied with {what instead of a JSON object"),
        ([delta("a"), event({"error": {"message": "out of memory"}})], "out of memory"),
        ([delta("a"), event({"choices": [{"text": 1}]}), DONE], "no delta"),
        ([delta("a"), delta("", "content_filter"), DONE], "content_filter"),
        ([DONE], "ended before the text was complete"),
        ([], "ended before the text was complete"),
    ],
)
def test_invalid_stream_is_refused(server: Any, pieces: list[bytes], problem: str) -> None:
    server.replies = [(200, pieces)]
    with pytest.raises(ModelError, match=problem) as caught:
        list(server.model().stream(CHAT))
    assert f"{server.url}/chat/completions" in str(caught.value)


def test_long_line_in_small_pieces_takes_linear_time() -> None:
    text = b"data: " + b"x" * (4 << 20) + b"\n\n"
    begun = time.process_time()
    (event,) = sse.events(text[at : at + 1024] for at in range(0, len(text), 1024))
    assert len(event.data) == 4 << 20
    assert time.process_time() - begun < 1


def test_server_without_streaming_is_refused(server: Any) -> None:
    server.replies = [plain("Ada.")]
    with pytest.raises(ModelError, match="replied with application/json instead of text/event"):
        list(server.model().stream(CHAT))


def test_stalled_stream_hits_the_timeout(server: Any) -> None:
    server.replies = [(200, [delta("a"), 1.0, delta("b", "stop")])]
    with pytest.raises(ModelError, match=r"did not answer within 0.2 seconds"):
        list(server.model(timeout_seconds=0.2).stream(CHAT))
