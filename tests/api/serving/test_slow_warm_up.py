"""A part whose model does not answer its first task does not delay the rest of the server."""

from __future__ import annotations

import time
from typing import Any

import pytest

from twindex.api.http.app import create_app
from twindex.api.serving import preloaded
from twindex.api.serving.settings import Settings

GENERATORS = """
[generators.slow]
kind = "fake"
text = "The kiwi lives there. [1]"
milliseconds = 150
"""

LEXICAL = {"legs": {"lexical": {"kind": "lexical"}}}


def test_a_slow_first_task_delays_only_its_part(
    serve: Any, tmp_path: Any, problem: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preloaded, "PATIENCE", 0.1)
    file = tmp_path / "generators.toml"
    file.write_text(GENERATORS)
    (tmp_path / "data").mkdir()
    client = serve(tmp_path / "data", generators=file)
    health = client.get("/readyz").json()
    assert (health["status"], health["generators"]["slow"]) == ("degraded", "loading")
    assert health["generators"]["extractive"] == "ready"
    assert client.put("/v1/collections/birds", json=LEXICAL).status_code == 201
    path = "/v1/collections/birds/documents/kiwi"
    assert client.put(path, json={"text": "The kiwi lives there."}).status_code == 201
    question: dict[str, Any] = {"question": "Where does the kiwi live?"}
    answer = "/v1/collections/birds/answer"
    if client.get("/readyz").json()["generators"]["slow"] == "loading":
        details = problem(client.post(answer, json=question), 503, "not_ready")
        assert "'slow' is loading" in details.detail
    other = client.post(answer, json={**question, "generator": "extractive"})
    assert other.json()["outcome"] == "answered"
    for _ in range(600):
        health = client.get("/readyz").json()
        if health["status"] == "ok":
            break
        time.sleep(0.02)
    assert health["generators"]["slow"] == "ready"
    assert client.post(answer, json=question).status_code == 200


def test_a_stop_does_not_wait_for_a_first_task(tmp_path: Any) -> None:
    from fastapi.testclient import TestClient

    file = tmp_path / "generators.toml"
    file.write_text(GENERATORS.replace("150", "1000"))
    (tmp_path / "data").mkdir()
    began = time.monotonic()
    with TestClient(create_app(tmp_path / "data", Settings(generators=file)), "http://localhost"):
        pass
    assert time.monotonic() - began < 3
