"""The answer page in Debian's headless Chromium, against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from twindex.api.http.app import create_app
from twindex.api.serving.settings import Settings
from twindex.index import CollectionConfig
from twindex.search import Collection

ATTACK = "<img src=x onerror=\"document.title='taken'\">"
QUESTION = "Where does the kiwi live?"
GENERATORS = f"""
[generators.plain]
kind = "extractive"

[generators.slow]
kind = "fake"
milliseconds = 150
text = "Each word of this long answer takes some time, so that a reader can stop it early. [1]"

[generators.wrong]
kind = "fake"
text = "The 🐦 kiwi was described in 1999. [1] It lives in New Zealand. [1]"

[generators.refusing]
kind = "fake"
text = "No answer."

[generators.failing]
kind = "fake"
text = "Kiwis live there. [1]"
fails_at = 2

[generators.hostile]
kind = "fake"
text = '''Kiwi {ATTACK} text. [1]'''

[generators.long]
kind = "fake"
text = "{"word " * 750}"

[backgrounds.facts]
kind = "fake"
texts = ["Kiwis have 7 hats."]

[backgrounds.twice]
kind = "fake"
texts = ["Kiwis have 7 hats.", "Kiwis have 7 hats."]
"""

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, serving: Any) -> Iterator[str]:
    root: Path = tmp_path_factory.mktemp("served")
    config = CollectionConfig.parse({"legs": {"lexical": {"kind": "lexical"}}})
    for name in ("birds", "other"):
        with Collection.create(root / name, config) as collection:
            collection.add(
                [
                    {
                        "id": "kiwi/1",
                        "title": "Kiwi",
                        "text": "The kiwi cannot fly. It lives in New Zealand.",
                        "metadata": {"land": "NZ"},
                    },
                    {"id": "emu", "title": "Emu", "text": "The emu cannot fly, but it can run."},
                    {"id": "evil", "title": ATTACK, "text": f"A kiwi {ATTACK} here."},
                ]
            )
    generators = tmp_path_factory.mktemp("settings") / "generators.toml"
    generators.write_text(GENERATORS)
    rewriters = generators.with_name("rewriters.toml")
    rewriters.write_text('[rewriters.other]\nkind = "fake"\ntexts = ["kiwi land"]\n')
    with serving(create_app(root, Settings(generators=generators, rewriters=rewriters))) as address:
        yield address


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """A page that loads only from the server and logs no error on the console."""
    page = browser.new_page(base_url=address, viewport={"width": 1_000, "height": 800})
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda r: r.url.startswith(address) or complaints.append(r.url))
    page.goto("/ask?collection=birds")
    yield page
    page.close()
    # The browser logs replies of 4xx and 5xx.
    assert [text for text in complaints if "status of " not in text] == []


def ask(page: Any, question: str = QUESTION, generator: str = "plain") -> Any:
    """Ask a question and wait for the end. Return its part of the page."""
    page.get_by_label("Generator").select_option(generator)
    page.get_by_label("Question").fill(question)
    page.get_by_label("Question").press("Enter")
    page.locator(".turn h2", has_text=question).first.wait_for()
    page.locator("#send").wait_for(state="visible")
    return page.locator(".turn").first


def test_an_answer_leads_to_the_marked_quote_and_back(page: Any) -> None:
    turn = ask(page)
    assert "It lives in New Zealand. [1]" in turn.locator(".answer").inner_text()
    assert "sources sent" in turn.locator(".ledger summary").inner_text()
    assert page.locator("#spoken").inner_text().startswith("It lives in New Zealand.")
    turn.locator(".marker").first.click()
    page.locator("#passage").wait_for()
    assert page.locator("#passage").inner_text() == "It lives in New Zealand."
    page.get_by_role("link", name="← Questions to birds").click()
    assert page.locator(".turn h2").inner_text() == QUESTION, "the conversation is remembered"
    page.get_by_role("link", name="New conversation").click()
    page.locator("#hint").wait_for()
    assert page.locator(".turn").count() == 0


def test_stop_ends_an_answer_while_it_is_written(page: Any) -> None:
    page.get_by_label("Generator").select_option("slow")
    page.get_by_label("Question").fill(QUESTION)
    page.get_by_label("Question").press("Enter")
    text = page.locator(".turn .answer.writing")
    text.filter(has_text="Each word").wait_for()
    page.get_by_role("button", name="Stop").click()
    page.locator(".state", has_text="Stopped").wait_for()
    assert "early" not in page.locator(".turn .answer").inner_text()
    assert page.get_by_label("Question").input_value() == QUESTION
    assert page.locator("#q").evaluate("e => e === document.activeElement")


@pytest.mark.slow
def test_script_and_server_show_the_same(page: Any, address: str) -> None:
    for generator in ("plain", "wrong", "refusing"):
        page.locator(".options").evaluate("e => e.open = true")
        page.get_by_label("Rewriter").select_option("other")
        shown = ask(page, generator=generator)
        shown.locator("details").evaluate_all("all => all.forEach(e => (e.open = true))")
        scripted = shown.inner_text()
        page.goto(f"/ask?collection=birds&generator={generator}&rewrite=other&q={QUESTION}")
        rendered = page.locator(".turn").first
        rendered.locator("details").evaluate_all("all => all.forEach(e => (e.open = true))")
        assert "other ran: “" in scripted
        lines = [text.splitlines()[:-1] for text in (scripted, rendered.inner_text())]
        assert lines[0] == lines[1], "all but the last line, which has times"
        page.goto("/ask?collection=birds")
        page.get_by_role("link", name="New conversation").click()


@pytest.mark.slow
def test_follow_up_questions_send_the_turns(page: Any) -> None:
    sent: list[Any] = []
    page.on("request", lambda r: r.method == "POST" and sent.append(r.post_data_json))
    ask(page)
    page.locator(".options").evaluate("e => e.open = true")
    page.get_by_label("Background").select_option("facts")
    turn = ask(page, "Can the emu run?", generator="wrong")
    assert ("background" in sent[0], sent[1]["background"]) == (False, "facts")
    turn.locator("details").evaluate_all("all => all.forEach(e => (e.open = true))")
    assert "Kiwis have 7 hats." in turn.inner_text()
    assert sent[0]["turns"] == []
    assert [turn["role"] for turn in sent[1]["turns"]] == ["user", "assistant"]
    assert sent[1]["turns"][0]["content"] == QUESTION
    assert page.locator(".turn h2").all_inner_texts() == ["Can the emu run?", QUESTION]
    page.get_by_label("Collection").select_option("other")
    page.wait_for_url("**collection=other**")
    assert page.locator(".turn").count() == 0


@pytest.mark.slow
def test_a_filter_that_was_read_can_be_removed(page: Any) -> None:
    turn = ask(page, "Where does the kiwi live? land:AU")
    assert turn.locator(".abstained").count() == 1
    assert '{"land":{"eq":"AU"}}' in turn.locator(".searched").inner_text()
    turn.get_by_role("button", name="Ask without this filter").click()
    page.locator(".turn.answered").wait_for()
    assert "New Zealand" in page.locator(".turn .answer").first.inner_text()
    assert page.locator(".turn").first.locator(".searched").count() == 0
    page.locator(".options").evaluate("e => e.open = true")
    page.get_by_label("Read no filter").check()
    turn = ask(page, "Where does the emu live? land:AU")
    assert turn.locator(".searched").count() == 0


@pytest.mark.parametrize("width", [390, pytest.param(1_200, marks=pytest.mark.slow)])
def test_a_better_spelling_is_asked_with_the_keyboard(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    turn = ask(page, f"Where does the kiwwi live? {ATTACK}")
    better = f"Where does the kiwi live? {ATTACK}"
    assert turn.locator(".suggestion").inner_text() == f"Did you mean {better}?"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for _ in range(8):  # From the field, past the options and the link to a new conversation.
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == better:
            break
    button = turn.get_by_role("button", name=better)
    assert button.evaluate("e => e === document.activeElement")
    page.keyboard.press("Enter")
    page.locator(".turn h2", has_text=better).wait_for()
    page.locator("#send").wait_for(state="visible")
    newest = page.locator(".turn").first
    assert newest.locator("h2").inner_text() == better
    assert "kiwi" in newest.locator(".answer").inner_text()
    assert newest.locator(".suggestion").count() == 0
    assert page.title() != "taken"


@pytest.mark.slow
def test_turns_that_leave_no_space_are_not_sent(page: Any) -> None:
    page.locator(".options").evaluate("e => e.open = true")
    page.get_by_label("Most tokens of the answer").fill("750")
    page.get_by_label("Background").select_option("twice")
    for number in range(2):
        turn = ask(page, f"Where does the kiwi live, number {number}?", "long")
        assert "1 generated text left out" in turn.locator(".ledger summary").inner_text()
    turn = ask(page, "Where does the kiwi live, number 2?", "long")
    assert "the first 2 turns no longer fit" in turn.locator(".warning").last.inner_text()
    turn.locator("details").evaluate_all("all => all.forEach(e => (e.open = true))")
    assert "generated text 2 left out: it is a near-copy of generated text 1" in turn.inner_text()


@pytest.mark.slow
def test_abstention_doubts_and_failures_are_shown(page: Any) -> None:
    turn = ask(page, generator="refusing")
    assert turn.locator(".abstained strong").inner_text() == "No answer"
    turn = ask(page, generator="wrong")
    assert turn.locator(".doubt").count() == 1
    assert "but not 1999" in turn.locator(".why-doubt").inner_text()
    turn = ask(page, generator="failing")
    assert "fails after 2 words" in turn.get_by_role("alert").inner_text()
    assert page.get_by_label("Question").input_value() == QUESTION
    page.get_by_text("Passages and filter").click()
    page.get_by_label("Condition on metadata").fill("{")
    page.get_by_label("Question").press("Enter")
    assert "is not JSON" in page.locator("#problem").inner_text()
    page.get_by_label("Condition on metadata").fill('{"land": {"near": 1}}')
    turn = ask(page)
    assert "operator" in turn.get_by_role("alert").inner_text()
    page.get_by_label("Condition on metadata").fill('{"land": "NZ"}')
    turn = ask(page, "Which bird cannot fly?")
    assert "1 source sent" in turn.locator(".ledger summary").inner_text()


@pytest.mark.slow
def test_text_never_runs_as_script(page: Any) -> None:
    turn = ask(page, f"kiwi {ATTACK}", "hostile")
    assert ATTACK in turn.locator(".answer").inner_text()
    turn = ask(page, "What is here, kiwi?", "plain")
    assert page.locator("img[src=x]").count() == 0
    assert "taken" not in page.title()


@pytest.mark.slow
def test_an_invalid_number_opens_the_options(page: Any) -> None:
    for path, button, label in (
        ("/ask?collection=birds", "Ask", "Passages to read"),
        ("/?collection=birds", "Search", "Hits"),
    ):
        page.goto(path)
        page.locator("#q").fill("kiwi")
        page.locator(".options").evaluate("e => e.open = true")
        page.get_by_label(label, exact=True).fill("0")
        page.locator(".options").evaluate("e => e.open = false")
        page.get_by_role("button", name=button).click()
        assert page.locator(".options").evaluate("e => e.open")
        assert page.get_by_label(label, exact=True).evaluate("e => e === document.activeElement")


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1_200])
def test_the_keyboard_order_is_that_of_the_screen(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    ask(page, generator="wrong")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("#q").focus()
    for place in ("#send", ".options > summary", "#new", ".turn .marker"):
        page.keyboard.press("Tab")
        assert page.evaluate(f"document.activeElement.matches({place!r})"), place
    unnamed = page.evaluate(
        """[...document.querySelectorAll("input, select, textarea")]
           .filter((e) => !e.labels.length && !e.ariaLabel).map((e) => e.name)"""
    )
    assert unnamed == []


@pytest.mark.slow
def test_without_javascript(browser: Any, address: str) -> None:
    context = browser.new_context(java_script_enabled=False, base_url=address)
    page = context.new_page()
    page.goto("/ask?collection=birds")
    page.get_by_label("Question").fill(QUESTION)
    page.get_by_role("button", name="Ask").click()
    assert "New Zealand" in page.locator(".turn .answer").first.inner_text()
    page.get_by_label("Question").fill("Can the emu run?")
    page.get_by_role("button", name="Ask").click()
    assert page.locator(".turn h2").all_inner_texts() == ["Can the emu run?", QUESTION]
    context.close()
