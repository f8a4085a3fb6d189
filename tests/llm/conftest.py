"""A server for tests of models behind HTTP, which answers with whatever it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from twindex.llm import http_client
from twindex.llm.openai import OpenAIModel

Reply = dict[str, Any] | tuple[int, Any] | tuple[int, Any, dict[str, str]]
"""A JSON object; or status and content (JSON, bytes, or a stream: a list of bytes and of seconds to
wait) and perhaps headers."""


class Server(ThreadingHTTPServer):
    """Answers with what `replies` gives, the last one again and again; remembers requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies: list[Reply | Callable[[str, dict[str, Any]], Reply]] = []
        self.requests: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/v1"

    def model(self, **options: Any) -> OpenAIModel:
        return OpenAIModel(self.url, "tiny", **{"timeout_seconds": 5, "retries": 0, **options})


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path, body, dict(self.headers)))
        replies = self.server.replies
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        reply = reply(self.path, body) if callable(reply) else reply
        status, content, *more = reply if isinstance(reply, tuple) else (200, reply)
        if not isinstance(content, bytes | list):
            content = json.dumps(content).encode()
        pieces = content if isinstance(content, list) else [content]
        self.send_response(status)
        headers = {"Content-Type": "text/event-stream" if pieces is content else "application/json"}
        headers |= more[0] if more else {}
        if pieces is content:
            headers["Connection"] = "close"
        else:
            headers.setdefault("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            for piece in pieces:
                time.sleep(piece) if isinstance(piece, float) else self.wfile.write(piece)
                self.wfile.flush()
        except OSError:  # the other side has gone
            pass
        self.close_connection |= "Connection" in headers

    def log_message(self, *_: Any) -> None:
        """Be quiet."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(http_client, "BACKOFF", 0.01)
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
