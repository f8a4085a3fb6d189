"""Fixtures: applications on real collections, with encoders that need no model."""

from __future__ import annotations

import copy
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
import uvicorn
from fastapi.testclient import TestClient

from twindex.api.cli.main import main
from twindex.api.http.app import create_app
from twindex.api.http.arrival.listener import listen
from twindex.api.http.shapes.schemas import ProblemDetails
from twindex.api.serving.settings import Settings

CONFIG: dict[str, Any] = {
    "legs": {
        "dense": {"kind": "dense", "encoder": {"kind": "dense", "model": "fake"}},
        "sparse": {"kind": "sparse", "encoder": {"kind": "sparse", "model": "fake"}},
        "lexical": {"kind": "lexical"},
    }
}

BIRDS = [
    {"id": "kiwi", "title": "Kiwi", "text": "The kiwi cannot fly.", "metadata": {"year": 1813}},
    {
        "id": "emu",
        "title": "Emu",
        "text": "The emu runs and cannot fly.",
        "metadata": {"year": 1790},
    },
    {"id": "swift", "title": "Swift", "text": "Swifts fly while they sleep.", "metadata": {}},
]


def _wait_until_ready(client: TestClient) -> None:
    for _ in range(6_000):  # Other processes may use the machine.
        if client.get("/readyz").status_code == 200:
            return
        time.sleep(0.02)
    raise AssertionError(client.get("/readyz").text)


@pytest.fixture
def wait_until_ready() -> Callable[[TestClient], None]:
    return _wait_until_ready


@pytest.fixture
def wait_for_job() -> Callable[[TestClient, str], dict[str, Any]]:
    """Wait until a job is finished, and return it."""

    def wait(client: TestClient, job_id: str) -> dict[str, Any]:
        for _ in range(1_500):
            job: dict[str, Any] = client.get(f"/v1/jobs/{job_id}").json()
            if job["state"] in ("done", "failed"):
                return job
            time.sleep(0.02)
        raise AssertionError(job)

    return wait


@pytest.fixture
def problem() -> Callable[[Any, int, str], ProblemDetails]:
    """Check that a reply is a problem with this status and code, and return it."""

    def check(response: Any, status: int, code: str) -> ProblemDetails:
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == "application/problem+json"
        details = ProblemDetails.model_validate(response.json())
        assert (details.status, details.code) == (status, code)
        assert details.request_id == response.headers["x-request-id"]
        return details

    return check


@pytest.fixture
def fake_config() -> dict[str, Any]:
    """Three legs with encoders that need no model."""
    return copy.deepcopy(CONFIG)


Serve = Callable[..., TestClient]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start an application on `tmp_path` (or another root) with the given settings."""
    with ExitStack() as stack:

        def start(root: Path = tmp_path, **settings: Any) -> TestClient:
            app = create_app(root, Settings(**settings))
            client = stack.enter_context(
                TestClient(app, "http://localhost", raise_server_exceptions=False)
            )
            _wait_until_ready(client)
            return client

        yield start


@pytest.fixture
def client(serve: Serve) -> TestClient:
    """An application with one collection, `birds`, of three documents."""
    client = serve()
    assert client.put("/v1/collections/birds", json=CONFIG).status_code == 201
    for bird in BIRDS:
        path = f"/v1/collections/birds/documents/{bird['id']}"
        assert client.put(path, json=bird).status_code == 201
    return client


RERANKERS = """
[rerankers.fast]
kind = "fake"

[rerankers.slow]
kind = "fake"
milliseconds = 20

[rerankers.bad]
kind = "fake"
fails_at = 2

[rerankers.short]
kind = "fake"
candidates = 2

[rerankers.stored]
kind = "leg"
leg = "late"

[rerankers.varied]
kind = "mmr"
leg = "dense"

[rerankers.gone]
kind = "cross_encoder"
model = "not-on-this-machine"

[rerankers.keyless]
kind = "pointwise"
llm = {model = "m", base_url = "http://127.0.0.1:9/v1", api_key_variable = "TWINDEX_NO_SUCH_KEY"}
"""
"""A file of rerankers."""


@pytest.fixture
def reranking(serve, tmp_path, fake_config):
    """A server with rerankers, and the collection `birds` with a leg for reranking."""
    file = tmp_path / "rerankers.toml"
    file.write_text(RERANKERS)
    (tmp_path / "data").mkdir()
    client = serve(tmp_path / "data", rerankers=file)
    fake_config["legs"]["late"] = {
        "kind": "dense",
        "role": "rerank",
        "encoder": {"kind": "late", "model": "fake"},
    }
    assert client.put("/v1/collections/birds", json=fake_config).status_code == 201
    lines = []
    for i in range(12):
        text = " ".join(["fly", "cannot", "emu", "runs"][: 1 + i % 4]) + f" number {i}"
        document = {"id": str(i), "title": f"Bird {i}", "text": text, "metadata": {"odd": i % 2}}
        lines.append(json.dumps(document))
    headers = {"content-type": "application/x-ndjson"}
    response = client.post(
        "/v1/collections/birds/documents/bulk", content="\n".join(lines), headers=headers
    )
    assert response.status_code == 200
    return client


class Outcome:
    """The exit status and output of a command."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    """Run the command line in this process."""

    def call(*argv: str) -> Outcome:
        status = main(list(argv))
        return Outcome(status, *capsys.readouterr())

    return call


CHROMIUM = (
    os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
)


@pytest.fixture(scope="session")
def serving() -> Callable[[Any], Any]:
    """Serve an application on a free port, in a context that yields its address."""

    @contextmanager
    def serve(app: Any) -> Iterator[str]:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None))
        listener = listen("127.0.0.1", 0)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            while httpx.get(f"{address}/readyz").status_code != 200:
                time.sleep(0.05)
            yield address
        finally:
            server.should_exit = True
            thread.join(30)
            listener.close()

    return serve


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()
