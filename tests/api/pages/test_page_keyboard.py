"""Every page in a browser: by keyboard, at the widths of a desktop and a phone, light and dark."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from twindex.api.http.app import create_app
from twindex.api.serving.access.key_file import FILE_NAME, KeyFile, new_key
from twindex.api.serving.settings import Settings
from twindex.index import CollectionConfig
from twindex.search import Collection

WIDTHS = {"desktop": 1_280, "phone": 390}
PAGES = {
    "home": "/",
    "search": "/?collection=films&q=robot+island&facet=genres&facet=year&explain=1",
    "groups": "/?collection=films&q=robot&group=year&sort=-year",
    "browse": "/?collection=films&sort=-year",
    "nothing": "/?collection=films&q=zzz&leg=lexical&filter=%7B%22year%22%3A1%7D",
    "refused": "/?collection=films&q=robot&filter=%7B",
    "compare": "/compare?collection=films&q=robot+island&a.leg=lexical&b.leg=dense&limit=5",
    "compare-blank": "/compare?collection=films",
    "compare-refused": "/compare?collection=films&q=robot&b.filter=%7B",
    "ask": "/ask?collection=films",
    "collections": "/collections",
    "collection": "/collection?name=films",
    "no-collection": "/collection?name=film",
    "documents": "/documents?collection=films",
    "no-documents": "/documents?collection=empty",
    "document": "/document?collection=films&id=film-3&q=robot",
    "edit": "/edit-document?collection=films&id=film-3",
    "new": "/edit-document?collection=films",
    "jobs": "/jobs",
    "keys": "/keys",
    "status": "/status",
    "missing": "/nowhere",
}
SUBJECTS = ("robot", "painter", "lighthouse", "island", "train", "violin", "desert", "winter")

pytestmark = [pytest.mark.timeout(300)]

CONTRAST = """() => {
  const channel = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parse = (text) => {
    const numbers = text.match(/[\\d.]+/g).map(Number);
    const [r, g, b, a = 1] = numbers;
    return text.startsWith("color(") ? [r * 255, g * 255, b * 255, a] : numbers;
  };
  const ground = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(e).backgroundColor);
      if (a > 0) layers.push([r, g, b, a]);
      if (a >= 1) break;
    }
    return layers.reverse().reduce(
      (under, [r, g, b, a]) => [r, g, b].map((v, i) => v * a + under[i] * (1 - a)),
      [255, 255, 255]);
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest("option, .unseen, .skip")) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(parse(style.color)), light(ground(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const text = element.textContent.trim().slice(0, 30);
    if (ratio < 4.5) found.push([element.className || element.tagName, text, ratio.toFixed(2)]);
  }
  return found;
}"""
"""Returns the visible texts with a contrast below 4.5, the limit of WCAG 2.2 (AA)."""

UNNAMED = """() => [
    ...document.querySelectorAll("input, select, textarea, progress, button, a[href]")]
  .filter((e) => e.type !== "hidden")
  .filter((e) => !e.labels?.length && !e.ariaLabel && !e.textContent.trim())
  .map((e) => e.outerHTML.slice(0, 90))"""

REPEATED = """() => {
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  return ids.filter((id, at) => ids.indexOf(id) !== at);
}"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: Any, serving: Any) -> Iterator[tuple[str, str]]:
    """The address of a server that requires keys, and a key for everything."""
    root: Path = tmp_path_factory.mktemp("served")
    legs = {
        "dense": {"kind": "dense", "encoder": {"kind": "dense", "model": "fake"}},
        "lexical": {"kind": "lexical"},
    }
    with Collection.create(root / "films", CollectionConfig.parse({"legs": legs})) as films:
        films.add(
            {
                "id": f"film-{n}",
                "title": f"The {SUBJECTS[n % 8]} and the {SUBJECTS[(n * 3 + 1) % 8]}",
                "text": f"A {SUBJECTS[n % 8]} meets a {SUBJECTS[(n + 3) % 8]} on an island, and a "
                f"robot tells the story of the {SUBJECTS[(n * 5) % 8]} again and again. " * 4,
                "metadata": {
                    "year": 1990 + n % 12,
                    "genres": [("drama", "comedy", "action")[n % 3], "tale"],
                    "url": f"https://example.org/films/{n}",
                },
            }
            for n in range(70)
        )
        films.seal()
    config = CollectionConfig.parse({"legs": {"lexical": {"kind": "lexical"}}})
    Collection.create(root / "empty", config).close()
    file = KeyFile(root / FILE_NAME)
    created = new_key("operator", scopes=("read", "write", "admin"))
    file.add(created.key)
    file.add(new_key("shop", scopes=("read",), collections=("films*",), filter={"year": 1999}).key)
    with serving(create_app(root, Settings())) as address:
        yield address, created.secret


@pytest.fixture(params=["light", "dark"])
def scheme(request: Any) -> str:
    return str(request.param)


@pytest.fixture(params=sorted(WIDTHS))
def width(request: Any) -> str:
    return str(request.param)


@pytest.fixture
def page(browser: Any, served: Any) -> Iterator[Any]:
    """A page of a browser with a key, which loads only from the server and logs no error."""
    yield from opened(browser, served, "light", 1_280)


def opened(browser: Any, served: Any, scheme: str, width: int) -> Iterator[Any]:
    address, key = served
    context = browser.new_context(
        base_url=address,
        color_scheme=scheme,
        viewport={"width": width, "height": 800},
        http_credentials={"username": "any", "password": key},
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda r: r.url.startswith(address) or complaints.append(r.url))
    yield page
    context.close()
    # The browser logs replies of 4xx.
    assert [text for text in complaints if "status of 4" not in text] == []


def test_every_page_is_readable_at_every_width_and_in_both_colour_schemes(
    browser, served, scheme, width
):
    for page in opened(browser, served, scheme, WIDTHS[width]):
        for name, path in PAGES.items():
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[width], name
            for part in page.locator("details:not(details details)").all()[:6]:
                part.evaluate("e => e.open = true")
            assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[width], name
            assert page.evaluate(CONTRAST) == [], name
            assert page.evaluate(UNNAMED) == [], name
            assert page.evaluate(REPEATED) == [], name
            assert page.locator("h1, h2").count() >= 1, name
            assert page.title().endswith("Twindex"), name


def reach(page: Any, selector: str, most: int = 120) -> None:
    """Press Tab until an element has the focus, whose outline must be visible."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate(f"document.activeElement.matches({json.dumps(selector)})"):
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
            return
    raise AssertionError(f"Tab does not reach {selector}")


def test_every_page_of_the_menu_is_reached_by_keyboard(page):
    page.goto("/status")
    for name in ("compare", "ask", "collections", "jobs", "keys", "status", "docs"):
        reach(page, f"nav a[href='./{name}'], nav a[href^='./{name}?']")
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(rf"/{name}\b"))
        if name != "docs":
            current = page.locator("nav a[aria-current=page]")
            assert current.get_attribute("href").startswith(f"./{name}")


def test_a_search_is_narrowed_and_widened_by_keyboard(page):
    page.goto("/?collection=films&facet=genres")
    page.locator("#q").focus()
    page.keyboard.type("robot")
    page.keyboard.press("Enter")
    page.wait_for_selector(".hit")
    reach(page, ".fields a")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("filter=%7B"))
    assert page.locator(".fields a[aria-current]").count() == 1
    reach(page, ".active a")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("filter=&"))


def test_two_pipelines_are_compared_and_swapped_by_keyboard(page):
    page.goto("/compare?collection=films")
    page.keyboard.press("Tab")
    page.keyboard.press("/")
    page.keyboard.type("robot violin")
    page.keyboard.press("Enter")
    page.wait_for_selector(".agreement")
    a, b = (page.locator(f"[aria-label='Hits of {side}'] .id").all_inner_texts() for side in "AB")
    reach(page, "a.button")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("a.fusion=rrf"))
    after = [page.locator(f"[aria-label='Hits of {side}'] .id").all_inner_texts() for side in "AB"]
    assert after == [b, a]
    reach(page, ".elsewhere a")
    page.keyboard.press("Enter")
    assert page.locator(".hit:target").count() == 1


def test_a_document_is_added_edited_and_deleted_by_keyboard(page):
    page.goto("/documents?collection=films")
    reach(page, "a.button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/edit-document**")
    reach(page, "input[name=id]")
    page.keyboard.type("by/keyboard")
    reach(page, "textarea[name=text]")
    page.keyboard.type("A text from the keyboard.")
    reach(page, "form button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/document?**")
    assert "A text from the keyboard." in page.locator(".whole").inner_text()
    reach(page, "a[href^='edit-document']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/edit-document**")
    reach(page, "textarea[name=metadata]")
    page.keyboard.press("Control+A")
    page.keyboard.type('{"year": 2020}')
    reach(page, "form button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/document?**")
    assert "2020" in page.locator(".metadata").inner_text()
    page.go_back()
    page.reload()
    reach(page, ".danger summary")
    page.keyboard.press("Enter")
    reach(page, "button.delete")
    page.keyboard.press("Enter")
    page.wait_for_url("**/documents?**")
    assert "was deleted" in page.locator(".notice[role=status]").inner_text()


def test_a_merge_appears_among_the_jobs_and_its_list_stays_up_to_date(page):
    page.goto("/collection?name=films")
    reach(page, "form[action='merge-collection'] button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs")
    page.locator("table.jobs .state.ok").first.wait_for(timeout=30_000)  # Without a reload.


def test_a_key_is_created_and_revoked_by_keyboard(page):
    page.goto("/keys")
    reach(page, "form[action='create-key'] input[name=name]")
    page.keyboard.type("by keyboard")
    page.keyboard.press("Enter")
    page.wait_for_selector(".created")
    assert page.locator(".created .secret").first.input_value().startswith("tw_")
    page.goto("/keys")
    assert page.locator(".created").count() == 0
    row = page.locator("tr", has_text="by keyboard")
    reach(page, "summary[aria-label='Revoke by keyboard']")
    page.keyboard.press("Enter")
    reach(page, "button[aria-label='Revoke by keyboard now']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/keys")
    assert row.locator(".state").inner_text() == "revoked"


def test_pages_that_change_something_work_without_javascript(browser, served):
    address, key = served
    context = browser.new_context(
        java_script_enabled=False,
        base_url=address,
        http_credentials={"username": "any", "password": key},
    )
    page = context.new_page()
    page.goto("/edit-document?collection=empty")
    page.get_by_label("Id").fill("one")
    page.get_by_label("Text").fill("one text")
    page.get_by_role("button", name="Save").click()
    assert "one text" in page.locator(".whole").inner_text()
    page.goto("/collection?name=empty")
    page.get_by_role("button", name="Start a merge").click()
    assert page.url.endswith("/jobs")
    assert page.locator("table.jobs tbody tr").count() >= 1
    page.goto("/documents?collection=empty")
    page.get_by_role("link", name="one", exact=True).click()
    page.get_by_role("link", name="Edit").click()
    page.get_by_text("Delete this document").click()
    page.get_by_role("button", name="Delete one").click()
    assert "was deleted" in page.locator(".notice[role=status]").inner_text()
    context.close()
