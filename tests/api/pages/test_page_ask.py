"""The answer page, as the server renders it for a browser without JavaScript."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from twindex.api.http.app import create_app
from twindex.api.pages.ask import AskForm, pieces, view
from twindex.api.serving.settings import Settings
from twindex.core.answers import Answer, Citation, Quote, Source
from twindex.index import CollectionConfig
from twindex.search import Collection

ATTACK = "<script>alert('x')</script>"

GENERATORS = f"""
[generators.plain]
kind = "extractive"

[generators.wrong]
kind = "fake"
text = "The kiwi was described in 1999. [1]"

[generators.refusing]
kind = "fake"
text = "No answer."

[generators.failing]
kind = "fake"
text = "Kiwis live there. [1]"
fails_at = 2

[generators.hostile]
kind = "fake"
text = "Kiwi {ATTACK} text. [1]"

[generators.long]
kind = "fake"
text = "kiwi"

[backgrounds.facts]
kind = "fake"
texts = ["Kiwis have 7 hats."]

[backgrounds.twice]
kind = "fake"
texts = ["Kiwis have 7 hats.", "Kiwis have 7 hats."]
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    root = tmp_path_factory.mktemp("served")
    config = CollectionConfig.parse({"legs": {"lexical": {"kind": "lexical"}}})
    with Collection.create(root / "birds", config) as collection:
        collection.add(
            [
                {
                    "id": "kiwi",
                    "title": "Kiwi",
                    "text": "The kiwi cannot fly. It lives in New Zealand.",
                },
                {
                    "id": "emu",
                    "title": "Emu",
                    "text": "The emu cannot fly, but it can run.",
                    "metadata": {"year": 1999},
                },
            ]
        )
    file = tmp_path_factory.mktemp("settings") / "generators.toml"
    file.write_text(GENERATORS)
    rewriters = file.with_name("rewriters.toml")
    rewriters.write_text('[rewriters.other]\nkind = "fake"\ntexts = ["swimming emu"]\n')
    app = create_app(root, Settings(generators=file, rewriters=rewriters))
    with TestClient(app, "http://localhost", raise_server_exceptions=False) as client:
        while client.get("/readyz").status_code != 200:
            time.sleep(0.02)
        yield _getter(client)


def _getter(client: TestClient) -> Any:
    """Return a function that requests the page, and has the client."""

    def get(status: int = 200, headers: Any = None, **parameters: Any) -> str:
        response = client.get("/ask", params=parameters, headers=headers)
        assert response.status_code == status, response.text
        policy = response.headers["content-security-policy"]
        assert "script-src 'self'" in policy
        text: str = response.text
        return text

    get.client = client  # type: ignore[attr-defined]
    return get


QUESTION = "Where does the kiwi live?"


def test_the_form_without_a_question(page: Any) -> None:
    text = page()
    assert 'name="q"' in text
    assert 'class="turn' not in text
    assert re.findall(r'<option value="(\w+)"', text)[:3] == ["birds", "plain", "wrong"]
    assert 'href="./?collection=birds">Search' in text
    assert 'href="./ask?collection=birds">Ask' in page.client.get("/").text


def test_an_answer_has_links_to_marked_quotes(page: Any) -> None:
    text = page(collection="birds", q=QUESTION)
    link, *_ = re.findall(r'<a class="marker" href="([^"]+)"', text)
    document = page.client.get("/" + unescape(link).partition("#")[0]).text
    marked = document.partition('id="passage">')[2].partition("</span>")[0]
    assert re.sub("<[^>]+>", "", marked).strip() == "It lives in New Zealand."
    assert "← Questions to birds" in document
    assert "1 source sent, 0 passages left out" in text
    assert "no language model" in text
    assert "<blockquote>" in text


def test_a_follow_up_sends_the_turns(page: Any) -> None:
    text = page(collection="birds", q=QUESTION)
    turns = [unescape(one) for one in re.findall(r'name="turn" value="([^"]*)"', text)]
    assert turns[0] == QUESTION
    assert "New Zealand" in turns[1]
    following = page(collection="birds", q="Can the emu run?", turn=turns)
    assert following.index("Can the emu run?") < following.index(f"<h2>{QUESTION}</h2>")
    assert following.count('name="turn"') == 4
    assert "New conversation" in following


def test_the_searched_texts_are_shown(page: Any) -> None:
    text = unescape(page(q="Can it swim?", rewrite="other"))
    assert "other ran: “" in text
    assert "swimming emu" in text
    assert "<option selected>other" in text
    assert "other ran" not in page(q="Can it swim?", rewrite="none")


def test_a_background_can_be_chosen_if_the_server_has_one(page: Any, tmp_path: Path) -> None:
    text = page(q=QUESTION, generator="wrong", background="facts")
    assert "Kiwis have 7 hats." in text
    assert "<option selected>facts" in text
    assert "background facts" in text
    assert "Kiwis have 7 hats." not in page(q=QUESTION, generator="wrong")
    with TestClient(create_app(tmp_path), "http://localhost") as client:
        assert 'name="background"' not in client.get("/ask").text


def test_a_filter_that_was_read_from_the_question_is_shown_and_can_be_removed(page: Any) -> None:
    text = unescape(page(q="Which bird cannot fly? year:>3000", limit="7", turn=["a", "b"]))
    assert "<strong>No answer</strong>" in text
    assert '<code>{"year":{"gt":3000}}</code>' in text
    (link,) = re.findall(r'href="([^"]+)">Ask without this filter', text)
    without = unescape(page.client.get("/" + link).text)
    assert 'class="turn answered"' in without
    assert "Ask without this filter" not in without
    assert 'value="7"' in without
    assert "7 hits · no filters in the question" in without
    assert 'name="turn" value="b"' in without


def test_a_better_spelling_is_linked(page: Any) -> None:
    asked = f"Where does the kiwwi live? {ATTACK}"
    text = page(q=asked, limit="7", turn=["a", "b"])
    assert ATTACK not in text
    ((link, shown),) = re.findall(r'Did you mean <a href="([^"]+)">([^<]+)</a>\?', text)
    assert unescape(shown) == f"Where does the kiwi live? {ATTACK}"
    better = page.client.get("/" + unescape(link)).text
    assert f"<h2>{shown}</h2>" in better
    assert "New Zealand" in better
    assert 'value="7"' in better
    assert 'name="turn" value="b"' in better
    assert "Did you mean" not in better


def test_turns_that_leave_no_space_for_sources_are_not_sent(page: Any) -> None:
    turns = [QUESTION, "one " * 800, "Can the emu run?", "two " * 800, "Can it swim?", "No."]
    text = page(q=QUESTION, generator="long", turn=turns)
    assert "the first 2 turns no longer fit and are not sent" in text
    assert "cannot be answered" not in text
    text = page(422, q="kiwi " * 1_600, generator="long", turn=turns)
    assert "<code>context.tokens</code>: " in text


def test_a_generated_text_that_was_left_out_is_no_passage(page: Any) -> None:
    text = page(q=QUESTION, generator="wrong", background="twice")
    assert "1 source sent, 0 passages and 1 generated text left out" in text
    assert "id=&amp;" not in text, "no link to a document without an id"
    assert re.search(r'generated text 2 <span class="quiet">left out: [^<]*text 1<', text)


def test_no_answer_and_doubts_are_states_of_their_own(page: Any) -> None:
    text = page(q="xylophone")
    assert "<strong>No answer</strong>" in text
    assert "no passage was found" in text
    assert "the model found no answer" in page(q=QUESTION, generator="refusing")
    wrong = page(q=QUESTION, generator="wrong")
    assert 'class="doubt"' in wrong
    assert "but not 1999" in wrong
    assert "tokens read" in wrong


@pytest.mark.parametrize(
    ("status", "parameters", "expected"),
    [
        (404, {"collection": "nope"}, "There is no collection “nope”"),
        (422, {"limit": "0"}, "<code>search.limit</code>: "),
        (422, {"passages": "many"}, "<code>context.passages</code>: "),
        (422, {"filter": "{"}, "is not JSON"),
        (422, {"generator": "nope"}, "there is no generator"),
        (422, {"generator": "wrong", "background": "fact"}, "<code>background.model</code>: "),
        (422, {"generator": "plain", "background": "facts"}, "<code>background</code>: "),
        (422, {"turn": ["a", "b"] * 60}, "<code>turns</code>: "),
        (503, {"generator": "failing"}, "fails after 2 words"),
    ],
)
def test_errors_are_shown_in_words(
    page: Any, status: int, parameters: dict[str, Any], expected: str
) -> None:
    text = page(status, **{"q": QUESTION, **parameters})
    assert 'role="alert"' in text
    assert expected in unescape(text) or expected in text
    assert f'value="{QUESTION}"' in text


def test_text_never_becomes_markup(page: Any) -> None:
    path = "/v1/collections/birds/documents/evil%3Cscript%3E"
    page.client.put(path, json={"title": ATTACK, "text": f"The kiwi sings {ATTACK} here."})
    for question in (QUESTION, ATTACK, "kiwi sings script"):
        for generator in ("plain", "hostile"):
            text = page(q=question, generator=generator, turn=[ATTACK, ATTACK])
            assert len(re.findall("<script", text)) == 1  # The script of the page.
    for name in (
        "collection",
        "generator",
        "limit",
        "filter",
        "rerank",
        "max_tokens",
        "rewrite",
        "background",
    ):
        text = page.client.get("/ask", params={"q": "kiwi", name: ATTACK}).text
        assert len(re.findall("<script", text)) == 1, name


def test_a_link_of_another_site_only_fills_the_form(page: Any) -> None:
    text = page(q=QUESTION, headers={"sec-fetch-site": "cross-site"})
    assert f'value="{QUESTION}"' in text
    assert 'class="turn' not in text


def _quote(number: int) -> Quote:
    return Quote(number, f"d{number}", 0, 4, "text", 1.0)


def test_pieces_join_to_the_text() -> None:
    text = "🐦 One. [1] [2] Two, three [3] words.\nFour."
    two = text.index("Two")
    answer = Answer(
        text,
        "answered",
        [
            Citation(2, 6, [_quote(1), _quote(2)], True),
            Citation(two, two + 10, [_quote(3)], False),
        ],
    )
    found = list(pieces(AskForm("c", "q"), answer))
    assert "".join(piece.text for piece in found) == text
    assert [piece.text for piece in found if piece.kind == "marker"] == ["[1]", "[2]", "[3]"]
    assert [piece.text for piece in found if piece.kind == "doubt"] == ["Two, three"]


def test_a_citation_without_a_marker_gets_a_link() -> None:
    answer = Answer("One. Two.", "answered", [Citation(0, 4, [_quote(1)], True, "match")])
    found = list(pieces(AskForm("c", "q"), answer))
    assert "".join(piece.text for piece in found) == "One. [1] Two."


def test_background_that_a_model_wrote_is_no_source() -> None:
    written = Source(0, "", f"A model wrote {ATTACK}.", kind="generated")
    answer = Answer("One.", "answered", sources=[Source(1, "d1", "One."), written])
    shown = view(AskForm("c", "q"), answer)
    assert [one["number"] for one in shown["sent"]] == [1]
    assert shown["generated"] == [written.text]
    assert shown["context"].startswith("1 source sent")


def test_long_turns_are_not_part_of_the_address() -> None:
    form = AskForm("c", "q", turns=["x" * 3_200, "y" * 900, "z", "w"])
    assert form.following("answer") == ["z", "w", "q", "answer"]
    assert AskForm("c", "q").following("y" * 5_000) == []
