"""The pages in a browser, behind a reverse proxy that serves them under a path."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2 as httpx
import pytest

from twindex.api.http.app import create_app
from twindex.index import CollectionConfig
from twindex.search import Collection

PREFIX = "/under/a path"
QUOTED = "/under/a%20path"

pytestmark = pytest.mark.timeout(180)


class Proxy(BaseHTTPRequestHandler):
    """Forwards paths under the prefix, without the prefix; other paths are 404."""

    upstream = ""
    strayed: list[str]

    def _pass(self) -> None:
        if not self.path.startswith(QUOTED + "/"):
            self.strayed.append(self.path)
            self.send_error(404)
            return
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        kept = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
        address = self.upstream + self.path.removeprefix(QUOTED)
        reply = httpx.request(self.command, address, headers=kept, content=body)
        self.send_response(reply.status_code)
        for name, value in reply.headers.items():
            if name not in ("content-length", "transfer-encoding", "content-encoding"):
                self.send_header(name, value)
        self.send_header("content-length", str(len(reply.content)))
        self.end_headers()
        self.wfile.write(reply.content)

    do_GET = do_POST = _pass  # noqa: N815 - the names of the library

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: Any, serving: Any) -> Iterator[tuple[str, list[str]]]:
    """The address behind the proxy, and the requested paths outside the prefix."""
    root = tmp_path_factory.mktemp("served")
    for name in ("birds", "words"):
        config = CollectionConfig.parse({"legs": {"lexical": {"kind": "lexical"}}})
        with Collection.create(root / name, config) as collection:
            collection.add(
                [
                    {"id": f"kiwi/{n}", "title": f"Kiwi {n}", "text": "The kiwi runs."}
                    for n in range(12)
                ]
            )
    with serving(create_app(root)) as upstream:
        strayed: list[str] = []
        handler = type("Handler", (Proxy,), {"upstream": upstream, "strayed": strayed})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}{QUOTED}/", strayed
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.slow
def test_every_link_form_and_script_stays_under_the_path(browser, proxied):
    address, strayed = proxied
    page = browser.new_page()
    page.goto(address)
    assert (
        page.evaluate("getComputedStyle(document.body).margin") == "0px"
    )  # The style sheet is loaded.
    page.get_by_role("link", name="Kiwi 0", exact=True).first.click()
    assert page.locator(".hit").count() == 10
    page.get_by_role("link", name="Next").click()
    assert page.locator(".hit").count() == 2
    page.get_by_role("combobox", name="Collection").select_option("words")
    page.wait_for_url("**collection=words**")
    page.get_by_role("button", name="Search").click()
    page.locator(".hit h2 a").first.click()
    assert page.locator("#passage").count() == 0  # The document was not cut.
    page.get_by_role("link", name="Raw JSON").click()
    assert json.loads(page.inner_text("body"))["id"].startswith("kiwi/")
    page.go_back()
    page.get_by_role("link", name="API").click()
    assert page.url == f"{address}docs"
    page.get_by_role("link", name="openapi.json").click()
    assert json.loads(page.inner_text("body"))["openapi"]
    page.go_back()
    operation = page.locator("#post-v1-collections-collection-search")
    operation.locator("> summary").click()
    operation.get_by_label("Body").fill('{"query": "kiwi"}')
    operation.get_by_role("button", name="Send").click()
    operation.locator(".status.ok").wait_for()
    operation.get_by_text("curl", exact=True).click()
    command = operation.locator(".example pre").first.inner_text()
    assert command.startswith(f"curl {address}v1/collections/birds/search -X POST")
    page.get_by_role("link", name="Twindex").click()
    assert page.url == address
    assert strayed == ["/favicon.ico"][: len(strayed)]
    page.close()


def test_every_address_in_the_pages_is_relative(browser, proxied):
    address, _ = proxied
    page = browser.new_page()
    for path in (
        "",
        "?collection=birds&q=kiwi",
        "document?collection=birds&id=kiwi/1",
        "docs",
        "?collection=no",
    ):
        page.goto(address + path)
        links = page.evaluate(
            """[...document.querySelectorAll("[href], [src], [action]")].flatMap((element) =>
               ["href", "src", "action"].map((name) => element.getAttribute(name))
                                        .filter((value) => value !== null))"""
        )
        assert links
        assert [link for link in links if link.startswith("/")] == []
    page.close()
