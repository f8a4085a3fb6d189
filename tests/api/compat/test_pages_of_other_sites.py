"""The official clients in a browser, on a page of another site."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from .conftest import KEY, end, launch

OPENAI = "openai@6.49.0"
SITE = "https://app.example"
STAINLESS = "authorization,content-type,x-stainless-arch,x-stainless-lang,x-stainless-retry-count"


def ask(client: Any, headers: str, origin: str = SITE) -> Any:
    """Return the reply to the request that a browser sends before a request with these headers."""
    return client.options(
        "/v1/chat/completions",
        headers={
            "origin": origin,
            "access-control-request-method": "POST",
            "access-control-request-headers": headers,
        },
    )


@pytest.mark.parametrize(
    "headers",
    [
        "authorization",
        STAINLESS,
        "X-Stainless-Custom-Poll-Interval, OpenAI-Organization, openai-project",
        "x-fern-sdk-name,x-fern-runtime-version,x-client-name",
        "mcp-session-id,mcp-protocol-version",
    ],
)
def test_a_browser_may_send_the_headers_of_official_clients(serve, headers):
    reply = ask(serve(cors_origins=SITE), headers)
    assert reply.status_code == 200, reply.text
    allowed = {
        one.strip().lower() for one in reply.headers["access-control-allow-headers"].split(",")
    }
    assert {one.strip().lower() for one in headers.split(",")} <= allowed
    assert reply.headers["access-control-allow-origin"] == SITE


@pytest.mark.parametrize(
    "headers",
    ["x-forwarded-host", "cookie", f"{STAINLESS},x-other", "x-stainless-", "ax-stainless-a"],
)
def test_other_headers_are_refused(serve, headers):
    reply = ask(serve(cors_origins=SITE), headers)
    assert reply.status_code == 400
    assert "headers" in reply.text


def test_other_origins_and_servers_without_origins_are_refused(serve):
    allowing = serve(cors_origins=SITE)
    assert (
        "access-control-allow-origin" not in ask(allowing, STAINLESS, "https://b.example").headers
    )
    assert "access-control-allow-origin" not in ask(serve(), STAINLESS).headers
    every = ask(serve(cors_origins="*"), STAINLESS)
    assert every.headers["access-control-allow-origin"] == "*"


PAGE = """<!doctype html><title>page</title><script type="module">
import OpenAI from "/node_modules/openai/index.mjs";
const client = new OpenAI({
  baseURL: "SERVER/v1", apiKey: "KEY", dangerouslyAllowBrowser: true, maxRetries: 0, timeout: 60000,
});
const messages = [{role: "user", content: "Which bird cannot fly?"}];
const found = {};
try {
  const models = await client.models.list();
  found.models = models.data.map((one) => one.id);
  const reply = await client.chat.completions.create({model: "rag:birds", messages});
  found.text = reply.choices[0].message.content;
  found.streamed = "";
  const stream = await client.chat.completions.create({model: "rag:birds", messages, stream: true});
  for await (const chunk of stream) found.streamed += chunk.choices[0]?.delta?.content ?? "";
  const vectors = await client.embeddings.create({model: "birds/dense", input: ["a", "b"]});
  found.vectors = vectors.data.length;
  try {
    await client.chat.completions.create({model: "rag:bird", messages});
  } catch (error) {
    found.error = [error.constructor.name, error.status, error.message];
  }
  try {
    await client.files.list();
  } catch (error) {
    found.unknown = [error.status, error.code];
  }
} catch (error) {
  found.failure = String(error);
}
window.found = found;
</script>"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address and the folder of another site, which has OpenAI's package for JavaScript."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("needs the program npm")
    folder = tmp_path_factory.mktemp("site")
    install = [npm, "install", "--no-audit", "--no-fund", OPENAI]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=600)
    if done.returncode:
        pytest.skip(f"npm cannot install the package: {done.stderr[-200:]}")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}", folder
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_openais_javascript_client_works_on_a_page_of_another_site(
    browser: Any, site: tuple[str, Path], tmp_path: Path
) -> None:
    origin, folder = site
    started = launch(tmp_path, TWINDEX_CORS_ORIGINS=origin)
    try:
        legs = {
            "dense": {"kind": "dense", "encoder": {"kind": "dense", "model": "fake"}},
            "lexical": {"kind": "lexical"},
        }
        started.http.put("/v1/collections/birds", json={"legs": legs}).raise_for_status()
        kiwi = {"title": "Kiwi", "text": "The kiwi is a bird that cannot fly."}
        started.http.put("/v1/collections/birds/documents/kiwi", json=kiwi).raise_for_status()
        text = PAGE.replace("SERVER", started.url).replace("KEY", KEY)
        (folder / "page.html").write_text(text)
        page = browser.new_page()
        page.goto(f"{origin}/page.html")
        page.wait_for_function("window.found !== undefined", timeout=120_000)
        found = page.evaluate("window.found")
        page.close()
    finally:
        end(started)
    assert "failure" not in found, found
    assert {"rag:birds", "fake"} <= set(found["models"])
    assert found["text"] == found["streamed"]
    assert "cannot fly" in found["text"]
    assert found["vectors"] == 2
    assert found["error"][:2] == ["NotFoundError", 404]
    assert "did you mean" in found["error"][2]
    assert found["unknown"] == [404, "unknown_url"]
