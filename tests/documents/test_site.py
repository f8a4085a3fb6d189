"""The site builds in strict mode, and loads nothing from another host."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path

import pytest

import twindex

ROOT = Path(twindex.__file__).parent
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


class Loaded(HTMLParser):
    """Collects the addresses that a browser loads for a page, in `found`."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get(LOADED.get(tag, ""))
        if address:
            self.found.append(address)


def external_addresses(html: str) -> list[str]:
    """The addresses on other hosts that a browser loads for a page."""
    page = Loaded()
    page.feed(html)
    return [one for one in page.found if re.match(r"(?i)([a-z]+:)?//", one)]


def test_external_addresses_are_found():
    page = '<script src="//a/b.js"></script><a href="https://c"><img src="x.png">'
    assert external_addresses(page) == ["//a/b.js"]
    assert external_addresses('<link rel="stylesheet" href="https://d/e.css">') == [
        "https://d/e.css"
    ]


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r": (\S+\.md)$", navigation, re.MULTILINE))
    docs = ROOT / "docs"
    assert listed == {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}


@pytest.mark.slow
def test_site_builds_without_warnings(tmp_path):
    if find_spec("mkdocs") is None or find_spec("mkdocstrings_handlers") is None:
        pytest.skip("needs the extra docs: pip install 'twindex[docs]'")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0, done.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 30
    found = {
        address
        for page in pages
        for address in external_addresses(page.read_text(encoding="utf-8"))
    }
    assert found == set()
    styles = "".join(path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.css"))
    assert re.findall(r"(?:url\(|@import )['\"]?(?:https?:)?//[^)]*", styles) == []
    (reference,) = tmp_path.glob("reference/python/twindex.html")
    text = reference.read_text(encoding="utf-8")
    for name in twindex.__all__:
        assert name == "__version__" or f'id="twindex.{name}"' in text, name
