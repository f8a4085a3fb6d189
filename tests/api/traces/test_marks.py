"""No log, metric, trace or audit line has a text, a metadata value or a secret of a request."""

from __future__ import annotations

import base64
import json
import logging
from typing import Any

import pytest

from twindex.api.http.logs import JsonFormatter, RequestFilter, TextFormatter
from twindex.api.serving.access.key_file import FILE_NAME, KeyFile, new_key
from twindex.client.signing import HEADER, sign_filter
from twindex.core import ModelError
from twindex.llm.server import http_client

BIRDS = "/v1/collections/birds"
NDJSON = {"content-type": "application/x-ndjson"}
JSON = {"content-type": "application/json"}
MARK = "zqmark"
"""Beginning of every mark. A mark says where it was sent: `zqmarktitle`."""


class Lines(logging.Handler):
    """Keeps log lines in both forms, and the records."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(RequestFilter())
        self.formatters = JsonFormatter(), TextFormatter()
        self.records: list[logging.LogRecord] = []
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        for formatter in self.formatters:
            record.exc_text = None
            self.lines.append(formatter.format(record))


@pytest.fixture
def logs(monkeypatch):
    handler, root = Lines(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    for name in ("httpx2", "mcp"):  # As a server does.
        monkeypatch.setattr(logging.getLogger(name), "level", logging.WARNING)
    logging.getLogger("httpx2").manager._clear_cache()
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


class Requests:
    """Sends requests, and keeps the statuses of the replies."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.statuses: set[int] = set()

    def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        if isinstance(body, str | bytes):
            options["content"] = body
        elif body is not None:
            options["json"] = body
        reply = self.client.request(method, path, **options)
        self.statuses.add(reply.status_code)
        return reply


def marked(place: str) -> str:
    return f"{MARK}{place}"


@pytest.fixture
def server(collector, model, serve, tmp_path, fake_config, logs, monkeypatch):
    """A server with everything on, a key for everything and a key with signed filters."""
    monkeypatch.setattr(http_client, "BACKOFF", 0.01)
    root = tmp_path / "data"
    root.mkdir()
    llm = f'llm = {{model = "m", base_url = "{model.url}"}}'
    (tmp_path / "rerankers.toml").write_text(
        f'[rerankers.fast]\nkind = "fake"\n[rerankers.bad]\nkind = "fake"\nfails_at = 1\n'
        f'[rerankers.judge]\nkind = "listwise"\n{llm}\n'
    )
    (tmp_path / "generators.toml").write_text(
        f'[generators.model]\nkind = "language_model"\n{llm}\n'
    )
    (tmp_path / "rewriters.toml").write_text(f'[rewriters.model]\nkind = "hyde"\n{llm}\n')
    model.text = f"{marked('written')} [1]"
    keys = {}
    for name, options in (
        ("all", {"scopes": ("read", "write", "admin")}),
        ("signed", {"scopes": ("read",), "signed": "required"}),
    ):
        keys[name] = new_key(name, **options)
        KeyFile(root / FILE_NAME).add(keys[name].key)
    client = serve(
        root,
        traces=collector.url,
        access_log=True,
        audit_log=tmp_path / "audit.jsonl",
        snapshots=str(tmp_path / "snapshots"),
        rerankers=tmp_path / "rerankers.toml",
        generators=tmp_path / "generators.toml",
        rewriters=tmp_path / "rewriters.toml",
        job_documents=3,
    )
    client.keys = keys
    client.headers["api-key"] = keys["all"].secret
    assert client.put(BIRDS, json=fake_config).status_code == 201
    return client


def write(send: Requests) -> None:
    document = {
        "text": f"The kiwi {marked('text')} cannot fly.",
        "title": marked("title"),
        "metadata": {marked("field"): marked("value"), "n": 1},
    }
    send("PUT", f"{BIRDS}/documents/kiwi", document)
    send("PUT", f"{BIRDS}/documents/kiwi", {**document, "titel": marked("unknown")})
    send("PUT", f"{BIRDS}/documents/kiwi", f'{{"text": "{marked("malformed")}', headers=JSON)
    send("PUT", f"{BIRDS}/documents/kiwi", marked("type"), headers={"content-type": "text/plain"})
    line = json.dumps({"id": "emu", **document})
    bad = json.dumps({"id": "emu", "text": [marked("wrong")]})
    send("POST", f"{BIRDS}/documents/bulk", f"{line}\n{bad}\n{marked('line')}", headers=NDJSON)
    many = "\n".join(json.dumps({"id": f"b{i}", **document}) for i in range(6))
    assert (
        send("POST", f"{BIRDS}/documents/bulk", f"{many}\n{bad}", headers=NDJSON).status_code == 202
    )
    send("POST", f"{BIRDS}/documents/delete", {"filter": {marked("field"): marked("none")}})
    send("POST", f"{BIRDS}/documents/delete", {"ids": [[marked("ids")]]})
    send("PUT", "/v1/collections/other", {"legs": {marked("leg"): {"kind": marked("kind")}}})


def search(send: Requests) -> None:
    query = f"kiwi {marked('query')}"
    where = {marked("field"): marked("value")}
    more: list[dict[str, Any]] = [
        {"filter": where, "explain": True, "suggest": True, "predictors": True},
        {"rerank": {"model": "fast"}},
        {"rerank": {"model": "bad"}},
        {"rerank": {"model": "bad", "on_error": "fail"}},
        {"rerank": {"model": "judge"}},
        {"rerank": {"model": marked("model")}},
        {"rewrite": "model"},
        {"rewrite": marked("rewriter")},
        {"feedback": {"lexical": {"method": "rm3"}}},
        {"parse_filters": True},
        {"legs": [marked("leg")]},
        {"filter": {marked("field"): {marked("operator"): 1}}},
        {"limit": marked("limit")},
        {marked("name"): 1},
    ]
    for fields in more:
        send("POST", f"{BIRDS}/search", {"query": query, **fields})
    send("POST", f"{BIRDS}/search/batch", {"requests": [{"query": query}, {"query": ""}]})
    send("POST", "/v1/vector_stores/birds/search", {"query": query})
    send("POST", "/v1/rerank", {"model": "fast", "query": query, "documents": [marked("given")]})
    send("POST", "/v2/rerank", {"model": "bad", "query": query, "documents": [marked("given")]})
    send("POST", "/v1/embeddings", {"model": "fake", "input": marked("input")})
    send("POST", "/v1/embeddings", {"model": marked("encoder"), "input": marked("input")})
    send("POST", "/embed", {"inputs": marked("inputs")})
    send("POST", "/v2/embed", {"model": "fake", "texts": [marked("texts")], "input_type": "x"})
    for path in ("/", "/ask"):
        send("GET", f"{path}?collection=birds&q={marked('page')}")


def answer(send: Requests) -> None:
    question = f"Can the kiwi fly, {marked('question')}?"
    for generator in ("model", "extractive", marked("generator")):
        body = {"question": question, "generator": generator}
        send("POST", f"{BIRDS}/answer", body)
        send("POST", f"{BIRDS}/answer", {**body, "stream": True})
    messages = [{"role": "user", "content": question}]
    send("POST", "/v1/chat/completions", {"model": "rag:birds:model", "messages": messages})
    send("POST", "/v1/responses", {"model": "rag:birds", "input": question})
    send("POST", "/v2/chat", {"model": "rag:birds", "messages": messages})
    accept = {"accept": "application/json, text/event-stream"}
    for name, arguments in (
        ("search", {"query": question, "collection": "birds"}),
        ("search", {"query": [marked("tool")], marked("argument"): 1}),
        ("fetch", {"id": f"birds/{marked('id')}"}),
        ("answer", {"question": question, "collection": "birds", "generator": "model"}),
        (marked("tool"), {}),
    ):
        call = {"name": name, "arguments": arguments}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
        send("POST", "/mcp", body, headers=accept)


def refused(send: Requests, keys: Any) -> None:
    secret = keys["all"].secret
    wrong = f"{secret[:-10]}{MARK}key"
    basic = base64.b64encode(f"user:{marked('password')}".encode()).decode()
    for headers in (
        {"api-key": wrong},
        {"api-key": marked("key")},
        {"api-key": "", "authorization": f"Bearer {marked('bearer')}"},
        {"api-key": "", "authorization": f"Basic {basic}"},
        {"origin": f"http://{marked('origin')}.example"},
        {HEADER: f"v1.{marked('signed')}"},
        {"x-request-id": f"{marked('id')} with a blank"},
        {"traceparent": marked("parent")},
        {"user-agent": "agent"},
    ):
        send("POST", f"{BIRDS}/search", {"query": marked("refused")}, headers=headers)
    own = keys["signed"]
    where = sign_filter({"n": 1, "m": marked("condition")}, own.signing, key=own.secret)
    for value in (where, where[:-3] + "abc"):
        headers = {"api-key": own.secret, HEADER: value}
        send("POST", f"{BIRDS}/search", {"query": marked("narrowed")}, headers=headers)
    send("POST", "/v1/search", {"query": marked("path")})
    send("PATCH", f"{BIRDS}/search", {"query": marked("method")})
    send("POST", f"{BIRDS}/search?{marked('parameter')}=1", {"query": "a"})


def fail(send: Requests, monkeypatch: Any) -> None:
    """Errors that nobody expects, whose messages have the text of the request."""
    from twindex.search import Collection

    def broken(*_: Any, **__: Any) -> None:
        try:
            raise KeyError(marked("cause"))
        except KeyError as error:
            raise RuntimeError(marked("message")) from error

    with monkeypatch.context() as patch:
        patch.setattr(Collection, "search", broken)
        patch.setattr(Collection, "answer_stream", broken)
        assert send("POST", f"{BIRDS}/search", {"query": "a"}).status_code == 500
        send("POST", f"{BIRDS}/answer", {"question": "a", "stream": True})
        call = {"name": "search", "arguments": {"query": "a", "collection": "birds"}}
        send(
            "POST",
            "/mcp",
            {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call},
            headers={"accept": "application/json, text/event-stream"},
        )

    def failing(*_: Any, **__: Any) -> None:
        raise ModelError(f"the model cannot read {marked('job')}")

    with monkeypatch.context() as patch:
        patch.setattr(Collection, "add", failing)
        many = "\n".join(json.dumps({"id": f"c{i}", "text": marked("bulk")}) for i in range(6))
        job = send("POST", f"{BIRDS}/documents/bulk", many, headers=NDJSON).json()["id"]
        for _ in range(500):
            if send("GET", f"/v1/jobs/{job}").json()["state"] == "failed":
                break
        assert marked("job") in send("GET", f"/v1/jobs/{job}").json()["error"], "its owner sees it"


def test_nothing_that_operators_read_has_a_text_or_a_secret(
    server, collector, model, logs, tmp_path, monkeypatch, wait_for_job
):
    send = Requests(server)
    logs.records.clear()
    write(send)
    for job in server.get("/v1/jobs").json()["jobs"]:
        wait_for_job(server, job["id"])
    for model.fails in (False, True):
        search(send)
        answer(send)
    model.fails = False
    refused(send, server.keys)
    fail(send, monkeypatch)
    send("POST", f"{BIRDS}/merge")
    send("POST", f"{BIRDS}/snapshots")
    assert send("POST", "/v1/reload").status_code == 200
    # Every kind of outcome has occurred.
    assert {200, 201, 202, 400, 401, 403, 404, 405, 415, 422, 500, 503} <= send.statuses

    last = server.get("/v1/aliases")
    collector.trace("GET /v1/aliases")
    secrets = [server.keys[name].secret for name in server.keys]
    secrets += [key.signing for key in server.keys.values() if key.signing]
    seen = {
        "logs": "\n".join(logs.lines),
        "metrics": server.get("/metrics").text,
        "traces": collector.raw.decode("latin-1"),
        "audit": (tmp_path / "audit.jsonl").read_text(),
        "info": server.get("/v1/info").text,
        "models": server.get("/v1/models").text,
        "health": server.get("/healthz").text,
        "error": server.get("/v1/collections/none").text + server.get("/none").text,
        "reply": last.text,
    }
    for where, text in seen.items():
        assert len(text) > 10, where
        lines = [line[:2_000] for line in text.splitlines() if MARK in line]
        assert not lines, (where, lines[:3])
        assert not [secret for secret in secrets if secret in text], where
    # The handler saw the errors: their kinds are there, and the request of each line.
    assert "RuntimeError" in seen["logs"]
    assert "KeyError" in seen["logs"]
    for record in logs.records:
        if record.name.startswith("twindex.api") and not record.name.endswith("serving.jobs"):
            assert getattr(record, "request_id", None), record.getMessage()


def test_a_path_cannot_forge_a_log_line(server, logs):
    server.get("/v1/none%0a2026-11-30%20INFO%20forged%1b[31m")
    texts = [line for line in logs.lines if "forged" in line]
    assert texts
    assert all("\n" not in line and "\x1b" not in line for line in texts)


@pytest.mark.parametrize("scheme", ["api-key", "authorization"])
def test_a_secret_in_the_wrong_place_is_not_repeated(server, scheme):
    reply = server.post(f"{BIRDS}/search", json={"query": "a"}, headers={scheme: marked("secret")})
    if scheme == "api-key":
        assert reply.status_code == 401
    assert MARK not in reply.text
