"""The pages of interfaces name the versions of the packages that the tests use."""

from __future__ import annotations

import re

import pytest

from ..api.compat.test_pages_of_other_sites import OPENAI
from ..house import HOUSE

PAGES = {
    "openai": "openai",
    "cohere": "cohere",
    "mcp": "mcp",
    "opentelemetry": "opentelemetry-sdk",
    "langchain": "langchain-core",
    "llama-index": "llama-index-core",
    "haystack": "haystack-ai",
}
"""Page of docs/interfaces -> package."""


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_the_version_of_its_package(page):
    package = PAGES[page]
    constraints = (HOUSE / "constraints.txt").read_text()
    pinned = re.search(rf"^{re.escape(package)}==(\S+)$", constraints, re.MULTILINE)
    assert pinned is not None
    text = (HOUSE / "docs" / "interfaces" / f"{page}.md").read_text()
    assert f"Tested with `{package}` {pinned[1]}" in text


def test_the_page_on_openai_names_the_version_of_the_javascript_client():
    text = (HOUSE / "docs" / "interfaces" / "openai.md").read_text()
    assert f"`openai` {OPENAI.rpartition('@')[2]} for JavaScript" in text
