"""The pages in Debian's headless Chromium, against a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from twindex.api.http.app import create_app
from twindex.api.serving.settings import Settings
from twindex.index import CollectionConfig
from twindex.search import Collection

RERANKERS = """
[rerankers.words]
kind = "fake"

[rerankers.windows]
kind = "intra_document"
slow = {kind = "cross_encoder", model = "fake"}
size = 10
overlap = 2
"""
ATTACK = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, serving: Any) -> Iterator[str]:
    """A server with five collections and two rerankers."""
    root: Path = tmp_path_factory.mktemp("served")
    fake = {
        "dense": {"kind": "dense", "encoder": {"kind": "dense", "model": "fake"}},
        "lexical": {"kind": "lexical"},
    }
    with Collection.create(root / "birds", CollectionConfig.parse({"legs": fake})) as collection:
        collection.add(
            [
                {
                    "id": "kiwi/1",
                    "title": "Kiwi",
                    "text": "The kiwi cannot fly.",
                    "metadata": {"year": 1813},
                },
                {"id": "emu", "title": "Emu", "text": "The emu runs and cannot fly."},
                {
                    "id": "evil",
                    "title": ATTACK,
                    "text": f"fly {ATTACK}",
                    "metadata": {ATTACK: ATTACK},
                },
                {"id": "wide", "text": "wide " + "x" * 20_000},
                *({"id": f"filler{n}", "text": f"flying number {n}"} for n in range(20)),
            ]
        )
    spoken = {"lexical": {"kind": "lexical", "encoder": {"language": "de,en"}}}
    with Collection.create(root / "spoken", CollectionConfig.parse({"legs": spoken})) as collection:
        collection.add(
            [
                {
                    "id": "haus",
                    "title": "Running houses",
                    "text": "Die Häuser der alten Stadt stehen am Fluss.",
                    "metadata": {"title_language": "en"},
                },
                {"id": "house", "text": "The houses of the old city stand by the river."},
            ]
        )
    words = {"words": {"kind": "lexical", "encoder": {"language": "none"}}}
    model = {"kind": "promptreps", "model": "fake"}
    chosen = {"sparse": {"kind": "sparse", "encoder": model}}
    with Collection.create(root / "chosen", CollectionConfig.parse({"legs": chosen})) as collection:
        collection.add([{"id": "1", "text": " ".join(f"word{n}" for n in range(60))}])
    with Collection.create(root / "words", CollectionConfig.parse({"legs": words})) as collection:
        collection.add([{"id": "1", "text": "one word"}])
    legs = {"words": {"kind": "lexical"}}
    with Collection.create(root / "moving", CollectionConfig.parse({"legs": legs})) as collection:
        collection.add(
            [
                {"id": "emu", "title": "Emu", "text": "emu emu emu emu and nothing else"},
                {"id": "kiwi", "text": f"no emu but flightless{' feathers' * 60}"},
                {"id": "evil", "text": f"flightless {ATTACK}"},
            ]
        )
    rerankers = tmp_path_factory.mktemp("settings") / "rerankers.toml"
    rerankers.write_text(RERANKERS)
    with serving(create_app(root, Settings(rerankers=rerankers))) as address:
        yield address


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """A page that loads only from the server and logs no error on the console."""
    page = browser.new_page(base_url=address, viewport={"width": 1_000, "height": 800})
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda r: r.url.startswith(address) or complaints.append(r.url))
    yield page
    page.close()
    # The browser logs replies of 4xx.
    assert [text for text in complaints if "status of 4" not in text] == []


def search(page: Any, query: str) -> None:
    page.goto("/")
    page.get_by_label("Query").fill(query)
    page.get_by_label("Query").press("Enter")


def test_a_search_shows_ranks_scores_and_marks(page):
    search(page, "kiwi flying")
    first = page.locator(".hit").first
    assert first.get_by_role("heading").inner_text() == "Kiwi"
    assert first.locator(".chip").all_inner_texts()[1].split()[:2] == ["lexical", "#1"]
    assert first.locator("mark").all_inner_texts() == ["Kiwi", "kiwi", "fly"]
    assert float(first.locator(".score").inner_text()) > 0
    assert not page.locator(".timings").is_visible()
    page.locator(".summary summary").click()
    assert "encode" in page.locator(".timings").inner_text()
    assert page.title() == "kiwi flying · Twindex"


def test_options_weights_and_explain(page):
    search(page, "fly")
    page.get_by_text("Legs, fusion, reranking and filter").click()
    page.get_by_label("dense fake").uncheck()
    page.get_by_label("Weight of lexical").fill("2.5")
    page.get_by_label("Method").select_option("rrf")
    page.get_by_text("As JSON").click()
    page.get_by_label("Condition on metadata").fill('{"year": {"gte": 1800}}')
    page.get_by_label("Explain").check()
    page.get_by_role("button", name="Search").click()
    assert page.locator(".hit").count() == 1
    assert page.locator(".hit .legs .chip").count() == 1
    assert page.get_by_role("row", name="fli").count() == 1
    assert page.get_by_label("Weight of lexical").input_value() == "2.5"
    assert not page.get_by_label("dense fake").is_checked()
    page.locator(".hit h2 a").click()
    page.get_by_role("link", name="Raw JSON").click()
    assert json.loads(page.inner_text("body"))["id"] == "kiwi/1"


def test_pages_of_hits_have_links_to_neighbours(page):
    search(page, "fly")
    seen = page.locator(".hit .where .id").all_inner_texts()
    with page.expect_navigation():
        page.get_by_role("link", name="Next").click()
    following = page.locator(".hit .where .id").all_inner_texts()
    assert len(seen) == len(following) == 10
    assert not set(seen) & set(following)
    with page.expect_navigation():
        page.get_by_role("link", name="Previous").click()
    assert page.locator(".hit .where .id").all_inner_texts() == seen


def test_an_error_is_readable(page):
    page.goto("/?collection=birds&q=fly&filter={")
    assert "is not JSON" in page.get_by_role("alert").inner_text()
    assert page.get_by_label("Condition on metadata").input_value() == "{"


def test_selecting_a_collection_shows_its_legs(page):
    search(page, "word")
    page.get_by_label("Collection").select_option("words")
    page.wait_for_url("**collection=words**")
    assert page.locator(".hit").count() == 1
    assert page.get_by_label("Weight of words").count() == 1
    assert page.get_by_label("Query").input_value() == "word"


def test_the_language_of_a_query_is_kept(page):
    page.goto("/?collection=birds")
    assert page.locator("select[name=language]").count() == 0
    page.goto("/?collection=spoken")
    language = page.locator("select[name=language]")
    assert language.locator("option").all_inner_texts() == ["detect", "de", "en"]
    page.get_by_label("Query").fill("Häuser")
    language.select_option("en")
    page.get_by_role("button", name="Search").click()
    assert page.locator(".hit").count() == 0
    assert language.input_value() == "en"
    language.select_option("de")
    page.get_by_role("button", name="Search").click()
    assert page.locator(".hit mark").all_inner_texts() == ["Häuser"]
    page.locator(".hit").get_by_role("link", name="title_language en").click()
    assert language.input_value() == "de"
    page.locator(".hit h2 a").click()
    page.get_by_role("link", name="← Search for").click()
    assert language.input_value() == "de"
    page.get_by_label("Collection").select_option("words")
    page.wait_for_url("**collection=words**")
    assert language.count() == 0


@pytest.mark.parametrize("width", [390, 1_200])
def test_the_language_is_between_query_and_button(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.goto("/?collection=spoken&q=Haus")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    language, button = (
        page.locator("select[name=language]"),
        page.get_by_role("button", name="Search"),
    )
    assert language.bounding_box()["y"] == button.bounding_box()["y"]
    page.locator("#q").focus()
    for place in ("select[name=language]", "button", ".options > summary"):
        page.keyboard.press("Tab")
        assert page.evaluate(f"document.activeElement.matches({place!r})")


def test_the_page_works_with_the_keyboard_alone(page):
    page.goto("/?collection=birds")
    page.keyboard.press("Tab")  # From the query to the button.
    page.keyboard.press("/")  # And back.
    page.keyboard.type("kiwi")
    page.keyboard.press("Enter")
    page.wait_for_selector(".hit")
    unnamed = page.evaluate(
        """[...document.querySelectorAll("input, select, textarea")]
           .filter((e) => !e.labels.length && !e.ariaLabel).map((e) => e.name)"""
    )
    assert unnamed == []


def test_document_text_never_runs_as_script(page):
    search(page, "fly onerror")
    assert page.locator("img[src=x]").count() == 0
    assert "taken" not in page.title()
    assert ATTACK in page.locator(".hit", has_text="onerror").first.inner_text()
    page.goto("/?collection=birds&q=" + quote(ATTACK) + "&explain=1")
    page.wait_for_timeout(200)
    assert page.title() == f"{ATTACK} · Twindex"


def test_terms_chosen_by_a_model_are_shown(page):
    page.goto("/?collection=chosen&q=word3+word7&explain=1")
    query, passage = page.locator(".words").all()
    assert query.inner_text().startswith("The query in sparse:")
    assert query.locator(".word").count() == 2
    assert passage.locator(".word").count() == 20
    assert passage.inner_text().endswith("and 40 more")


def test_a_reranker_moves_hits(page):
    page.goto("/?collection=moving&q=emu+flightless")
    before = page.locator(".hit h2").all_inner_texts()
    page.get_by_text("Legs, fusion, reranking and filter").click()
    page.get_by_label("Reranker").select_option("words")
    page.get_by_label("Hits to rerank").fill("3")
    page.get_by_role("button", name="Search").click()
    hits = page.locator(".hit").all()
    after = [hit.get_by_role("heading").inner_text() for hit in hits]
    assert sorted(after) == sorted(before)
    assert after != before
    for place, (title, hit) in enumerate(zip(after, hits, strict=True), 1):
        was = before.index(title) + 1
        away = was - place
        words = f"from {was} to {place}" if away else f"stays at {place}"
        assert words in hit.locator(".move .unseen").inner_text()
        sign = "▲" if away > 0 else "▼" if away < 0 else "="
        assert hit.locator(".move [aria-hidden]").inner_text().startswith(sign)
        assert f"#{was}" in hit.locator(".chip").first.inner_text()
    assert page.get_by_label("Reranker").input_value() == "words"
    assert "complete: 3 of 3 hits judged, 3 calls" in page.locator(".reranked").inner_text()
    page.get_by_text("Before and after").click()
    rows = page.locator(".moves tbody tr").all()
    assert [row.locator("td").nth(0).inner_text().split()[0] for row in rows] == [
        name.split()[0] for name in before
    ]


def test_windows_that_were_read_are_shown(page):
    page.goto("/?collection=moving&q=emu+flightless&rerank=windows")
    hit = page.locator(".hit", has_text="feathers").first
    hit.get_by_text("Why this rank").click()
    strip = hit.get_by_role("img", name="Positions of the windows in the text")
    assert strip.bounding_box()["width"] > 300
    windows = hit.locator(".windows li")
    assert windows.count() == strip.locator("rect").count() - 1 == 4
    assert "flightless" in windows.first.locator("mark").all_inner_texts()
    page.goto("/?collection=moving&q=" + quote(ATTACK) + "+emu&rerank=windows")
    assert page.locator("img[src=x]").count() == 0


def test_a_narrow_screen_needs_no_sideways_scrolling(page):
    page.set_viewport_size({"width": 360, "height": 700})
    for path in (
        "/?collection=birds&q=fly&explain=1",
        "/?collection=chosen&q=word3&explain=1",
        "/?collection=moving&q=emu+flightless&rerank=windows&explain=1",
        "/docs",
    ):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_on_a_phone_the_table_of_legs_is_complete(page):
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto("/?collection=birds&q=fly&explain=1")
    table = page.locator(".hit .sum").first
    assert table.evaluate("e => e.scrollWidth <= e.parentElement.clientWidth")
    for name in table.locator("tbody th").all():
        assert name.bounding_box()["height"] < 30, name.inner_text()  # It fits on one line.


@pytest.mark.parametrize("width", [390, pytest.param(1_200, marks=pytest.mark.slow)])
@pytest.mark.parametrize("query", ["q=fly&fusion=rrf", "q=fly&filter={", "q=fly&limit=0"])
def test_the_order_on_screen_is_that_of_the_keyboard(page, query, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"/?collection=birds&{query}")
    shown = ["#q", "[role=alert]", ".options > summary", ".hit"]
    tops = [
        page.locator(one).first.bounding_box()["y"] for one in shown if page.locator(one).count()
    ]
    assert tops == sorted(tops)
    assert tops[-1] < 400
    page.locator("#q").focus()
    for place in ("button", ".options > summary"):
        page.keyboard.press("Tab")
        assert page.evaluate(f"document.activeElement.matches({place!r})")
    # Options are folded, unless they contain an error.
    is_open = page.locator(".options").evaluate("e => e.open")
    assert is_open == (page.get_by_role("alert").count() == 1)


def test_a_filter_is_made_without_json(page):
    search(page, "fly")
    page.get_by_text("Legs, fusion, reranking and filter").click()
    page.get_by_label("Metadata field").select_option("year")
    page.get_by_label("Operator").select_option("is at least")
    page.get_by_role("textbox", name="Value").fill("1800")
    page.get_by_role("button", name="Search").click()
    assert page.locator(".hit").count() == 1
    page.get_by_role("link", name="Remove: year is at least 1800").click()
    assert page.locator(".hit").count() == 10
    page.locator(".hit", has_text="Kiwi").get_by_role("link", name="year 1813").click()
    assert page.locator(".hit").count() == 1


def test_without_javascript(browser, address):
    context = browser.new_context(java_script_enabled=False, base_url=address)
    page = context.new_page()
    page.goto("/?collection=birds")
    page.get_by_label("Query").fill("kiwi")
    page.get_by_role("button", name="Search").click()
    assert page.locator(".hit").first.get_by_role("heading").inner_text() == "Kiwi"
    page.goto("/?collection=moving&q=emu+flightless")
    page.get_by_text("Legs, fusion, reranking and filter").click()
    page.get_by_label("Reranker").select_option("words")
    page.get_by_role("button", name="Search").click()
    assert page.locator(".hit .move").count() == 3
    context.close()


def test_dark_mode(browser, address):
    colours = []
    for scheme in ("light", "dark"):
        page = browser.new_page(base_url=address, color_scheme=scheme)
        page.goto("/")
        colours.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        page.close()
    assert colours[0] != colours[1]


def test_an_operation_can_be_tried(page):
    page.goto("/docs#post-v1-collections-collection-search")
    operation = page.locator("#post-v1-collections-collection-search")
    operation.get_by_label("collection").select_option("birds")
    operation.get_by_label("Body").fill('{"query": "kiwi", "limit": 1}')
    operation.get_by_role("button", name="Send").click()
    operation.locator(".status.ok").wait_for()
    assert json.loads(operation.locator(".reply pre").inner_text())["hits"][0]["id"] == "kiwi/1"
    operation.get_by_label("Body").fill('{"query": "wide", "limit": 1}')
    operation.get_by_role("button", name="Send").click()
    operation.locator(".reply pre", has_text="xxxx").wait_for()
    for width in (1_000, 390):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    operation.get_by_label("Body").fill("{")
    operation.get_by_role("button", name="Send").click()
    operation.locator(".status.failed").wait_for()
    assert json.loads(operation.locator(".reply pre").inner_text())["code"] == "malformed"


def test_an_id_with_a_slash_can_be_tried(page):
    page.goto("/docs#get-v1-collections-collection-documents-id")
    operation = page.locator("#get-v1-collections-collection-documents-id")
    operation.locator("select[name=collection]").select_option("birds")
    operation.locator("input[name=id]").fill("kiwi/1")
    operation.get_by_role("button", name="Send").click()
    operation.locator(".status.ok").wait_for()
    assert json.loads(operation.locator(".reply pre").inner_text())["title"] == "Kiwi"
