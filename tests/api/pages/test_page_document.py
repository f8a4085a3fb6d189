"""The page of a document, in a browser and as HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from twindex.api.http.app import create_app
from twindex.api.pages.document import SHOWN
from twindex.api.pages.links import source, web_address
from twindex.index import CollectionConfig
from twindex.search import Collection

pytestmark = pytest.mark.timeout(180)
ATTACK = "<img src=x onerror=\"document.title='taken'\">"


@pytest.fixture(scope="module")
def address(tmp_path_factory: Any, serving: Any) -> Iterator[str]:
    root = tmp_path_factory.mktemp("served")
    legs = {"lexical": {"kind": "lexical"}}
    with Collection.create(root / "long", CollectionConfig.parse({"legs": legs})) as collection:
        filler = " ".join(f"filler{n}" for n in range(3_000))
        text = f"A kiwi at first. {filler} The emu runs with a kiwi. {filler}"
        metadata = {
            "url": "https://example.org/a?b=1&c=2",
            "evil": "javascript:alert(1)",
            "year": 7,
        }
        collection.add(
            [
                {"id": "a/b ü", "title": "Long & wide", "text": text, "metadata": metadata},
                {
                    "id": ATTACK,
                    "title": ATTACK,
                    "text": f"gull {ATTACK}",
                    "metadata": {ATTACK: ATTACK},
                },
                {"id": "huge", "text": "word " * (SHOWN // 5 * 3)},
            ]
        )
    with serving(create_app(root)) as address:
        yield address


def test_a_hit_leads_to_its_marked_passage(browser, address):
    page = browser.new_page(base_url=address, viewport={"width": 1_000, "height": 700})
    page.goto("/?collection=long&q=emu+kiwi")
    page.get_by_role("link", name="Long & wide").click()
    passage = page.locator("#passage")
    assert "The emu runs with a kiwi." in passage.inner_text()
    box = passage.bounding_box()
    assert 0 <= box["y"] < 700  # The page scrolled to it.
    assert {"emu", "kiwi"} <= set(passage.locator("mark").all_inner_texts())
    # Matches elsewhere in the text are marked too.
    assert page.locator(".whole .plain > mark").all_inner_texts() == ["kiwi"]
    assert page.locator("h1").inner_text() == "Long & wide"
    assert (
        page.get_by_role("link", name="Source").get_attribute("href")
        == "https://example.org/a?b=1&c=2"
    )
    links = [a.get_attribute("href") for a in page.locator(".metadata a").all()]
    assert links == ["https://example.org/a?b=1&c=2"]
    assert "javascript:alert(1)" in page.locator(".metadata").inner_text()
    page.get_by_role("link", name="Search for “emu kiwi”").click()
    assert page.locator(".hit").count() == 1
    page.close()


@pytest.mark.slow
def test_a_narrow_screen_needs_no_sideways_scrolling(browser, address):
    page = browser.new_page(base_url=address, viewport={"width": 360, "height": 700})
    for name in ("a/b ü", ATTACK, "huge"):
        page.goto("/?collection=long&q=word+gull+emu")
        page.locator(".hit", has_text=name).locator("h2 a").click()
        page.wait_for_load_state()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert page.title() != "taken"
        assert page.locator("img[src=x]").count() == 0
    page.close()


@pytest.mark.parametrize(
    ("parameters", "status", "words"),
    [
        ({"id": "nope"}, 404, "there is no document"),
        ({}, 404, "the parameter `id` is missing; add the id"),
        ({"collection": "nope", "id": "x"}, 404, "no collection"),
        (
            {"id": "kiwi", "start": "-1"},
            422,
            "start must be a whole number of at least 0, got &#39;-1&#39;",
        ),
        ({"id": "kiwi", "start": "1", "end": "²"}, 422, "end must be"),
        ({"id": "kiwi", "start": "5", "end": "2"}, 200, "Kiwi"),
        ({"id": "kiwi", "start": "5", "end": "999999999999"}, 200, "kiwi"),
    ],
)
def test_an_invalid_address_shows_an_error(client, parameters, status, words):
    response = client.get("/document", params={"collection": "birds", **parameters})
    assert response.status_code == status
    assert words in response.text


def test_a_very_long_text_is_cut_around_the_passage(client):
    text = "word " * (SHOWN // 5 * 3)
    client.put("/v1/collections/birds/documents/huge", json={"text": text})
    span = {"start": str(len(text) // 2), "end": str(len(text) // 2 + 100)}
    page = client.get(
        "/document", params={"collection": "birds", "id": "huge", "q": "", **span}
    ).text
    assert len(page) < SHOWN + 10_000
    assert "characters are not shown" in page
    assert "passage" in page


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ("https://example.org/a", True),
        ("http://localhost:1/", True),
        ("HTTPS://example.org", True),
        ("javascript:alert(1)", False),
        (" javascript:alert(1)", False),
        ("java\nscript:alert(1)", False),
        ("data:text/html,x", False),
        ("//example.org/a", False),
        ("https://", False),
        ("https://[", False),
        ("https://example.org/\u202e", False),
        ("vbscript:x", False),
        (7, False),
        (None, False),
    ],
)
def test_only_web_addresses_become_links(value, good):
    assert (web_address(value) is not None) is good


def test_the_source_is_the_most_reliable_field():
    other = "https://other.example"
    assert source({"see": other, "URL": "https://a.example"}) == "https://a.example"
    assert source({"url": "nothing", "see": other}) == other
    assert source({"url": "javascript:alert(1)"}) is None


def test_markdown_is_shown_as_blocks(client):
    text = (
        "# Kiwi\n\nA **bird** of\nnight.\n\n## Food <b>\n\n| a | b |\n|---|---|\n| c | d |\n\n"
        "```sh\nls # all\n```\n"
    )
    client.put("/v1/collections/birds/documents/k.md", json={"title": "Kiwi", "text": text})
    assert client.get("/v1/collections/birds/documents/k.md").json()["text"] == text
    span = {"start": str(text.index("night")), "end": str(text.index("| c"))}
    page = client.get(
        "/document", params={"collection": "birds", "id": "k.md", "q": "bird", **span}
    ).text
    whole = page[page.index('class="whole"') :].partition("</div>")[0]
    assert re.findall(r"<(\w+) class=\"(\w+)\"", whole)[0] == ("p", "paragraph")
    assert 'A <mark>bird</mark> of\n<span class="passage" id="passage">night.' in whole
    assert '<h3 class="heading"><span class="passage">Food &lt;b&gt;' in whole
    assert '<p class="row"><span class="passage">a | b' in whole
    assert '<p class="row">c | d' in whole
    assert '<pre class="code" tabindex="0">ls # all' in whole
    assert whole.count('id="passage"') == 1
    assert not re.search(r"\*\*|```|\|---|##", whole)
