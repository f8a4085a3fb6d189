"""Reranking on the search page, as the server renders it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from twindex.api.pages.movement import before_and_after, description, shown
from twindex.api.reranked import Window, reasons, windows_read
from twindex.core import Document, Hit, HitRerank
from twindex.encoders import LexicalEncoder

ATTACK = "<script>alert('x')</script>"
TOML = """
[rerankers.words]
kind = "fake"

[rerankers.broken]
kind = "fake"
fails_at = 0

[rerankers.twice]
kind = "chain"
stages = [
    {reranker = {kind = "fake"}, candidates = 10},
    {reranker = {kind = "fake"}, candidates = 2},
]
"""
DOCUMENTS = {
    "emu": ("Emu", "emu emu emu emu and nothing else"),
    "kiwi": ("Kiwi", "no emu but flightless" + " feathers" * 60),
    "hawk": ("Hawk", "a bird that can fly, not flightless"),
}


@pytest.fixture
def page(serve: Any, tmp_path: Path) -> Any:
    (tmp_path / "rerankers.toml").write_text(TOML)
    client = serve(rerankers=tmp_path / "rerankers.toml")
    legs = {"lexical": {"kind": "lexical"}}
    assert client.put("/v1/collections/birds", json={"legs": legs}).status_code == 201
    for name, (title, text) in DOCUMENTS.items():
        path = f"/v1/collections/birds/documents/{name}"
        assert client.put(path, json={"title": title, "text": text}).status_code == 201

    def get(status: int = 200, **parameters: str) -> str:
        given = {"collection": "birds", "q": "emu flightless", **parameters}
        response = client.get("/", params=given)
        assert response.status_code == status, response.text
        return str(response.text)

    return get


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_no_reranker_is_selected_by_default(page: Any) -> None:
    text = page()
    assert re.findall(r'<option value="">none</option>', text)
    for name in ("words", "broken", "twice"):
        assert f"<option>{name}</option>" in text
    assert "Before and after" not in text
    assert re.search(r'<h2><a href="[^"]+"><mark>Emu', text)


def test_a_server_without_rerankers_offers_none(client: Any) -> None:
    text = client.get("/", params={"collection": "birds", "q": "fly"}).text
    assert "Reranker" not in text
    refused = client.get("/", params={"collection": "birds", "q": "fly", "rerank": "words"})
    assert refused.status_code == 422
    assert "no reranker is configured" in refused.text


def test_hits_show_their_movement(page: Any) -> None:
    html = page(rerank="words")
    text = text_of(html)
    assert "<option selected>words</option>" in html
    assert "words complete: 3 of 3 hits judged, 3 calls" in text
    hits = [text_of(part) for part in html.split('<li class="hit"')[1:]]
    assert "Kiwi ▲ 1 up 1 rank, from 2 to 1 1.0000 before #2" in hits[0]
    assert "Emu ▼ 1 down 1 rank, from 1 to 2 0.5000 before #1" in hits[1]
    assert "Hawk = stays at 3 0.5000 before #3" in hits[2]
    table = text_of(html.split("Before and after")[1].split("</table>")[0])
    assert "1 Emu → 2 Kiwi ▲ 1" in table
    assert "2 Kiwi → 1 Emu ▼ 1" in table
    assert "3 Hawk → 3 Hawk =" in table


def test_before_and_after_shows_the_current_page(page: Any) -> None:
    html = page(rerank="words", limit="1", **{"rerank.top_n": "2"})
    table = text_of(html.split("Before and after")[1].split("</table>")[0])
    assert "1 Emu moved to another page Kiwi ▲ 1" in table
    link = re.search(r'rel="next" href="([^"]+)"', html)
    assert link is not None
    for part in ("rerank=words", "rerank.top_n=2", "offset=1"):
        assert part in link[1]
    last = page(rerank="words", limit="1", offset="2", **{"rerank.top_n": "2"})
    (hit,) = last.split('<li class="hit"')[1:]
    assert "Hawk = stays at 3 –" in text_of(hit)
    assert "not judged" in hit


def test_a_chain_shows_stages_and_reasons(page: Any) -> None:
    html = page(rerank="twice")
    text = text_of(html)
    assert "2.fake complete: 2 of 2 judged, 2 calls" in text
    assert "Why this rank 1.fake score 1 2.fake score 1" in text


def test_a_model_that_fails_keeps_the_order(page: Any) -> None:
    html = page(rerank="broken")
    text = text_of(html)
    assert '<div class="reranked failed">' in html
    assert "broken failed: 0 of 3 hits judged" in text
    assert "rerank: failed, the hits keep their original order" in text
    assert "Emu = stays at 1 –" in text


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"rerank": "nope"}, "there is no reranker"),
        ({"rerank": ATTACK}, "<code>rerank.model</code>"),
        ({"rerank": "words", "rerank.top_n": "many"}, "<code>rerank.top_n</code>"),
        ({"rerank": "words", "rerank.timeout_ms": "0"}, "<code>rerank.timeout_ms</code>"),
    ],
)
def test_errors_are_shown_on_the_page(page: Any, parameters: dict[str, str], message: str) -> None:
    html = page(422, **parameters)
    assert message in html
    assert len(re.findall("<script", html)) == 1  # The script of the page.
    assert 'value="many"' in html or "many" not in parameters.values()


def test_options_are_kept(page: Any) -> None:
    html = page(rerank="words", **{"rerank.top_n": "3", "rerank.timeout_ms": "60000.5"})
    assert 'name="rerank.top_n" value="3"' in " ".join(html.split())
    assert 'value="60000.5"' in html
    assert '<span class="quiet">reranked by words</span>' in html


def test_movement_in_words() -> None:
    assert description(HitRerank(1, 4)) == "up 3 ranks, from 4 to 1"
    assert description(HitRerank(5, 4)) == "down 1 rank, from 4 to 5"
    assert description(HitRerank(4, 4)) == "stays at 4"


def test_reasons_become_names_and_values() -> None:
    found = reasons(
        {
            "wins": 3,
            "share": 0.51234,
            "1.leg": {"score": 2.0, "deeper": {"yes": True, "none": None}},
            "list": list(range(8)),
            "criteria": [{"name": "depth", "score": 1}],
            "answer": f"two\nlines \x1b[31m {'long ' * 60}",
            "empty": [],
        }
    )
    assert found[:5] == [
        ("wins", "3"),
        ("share", "0.512"),
        ("1.leg score", "2"),
        ("1.leg deeper yes", "yes"),
        ("1.leg deeper none", "none"),
    ]
    assert found[5] == ("list", "0, 1, 2, 3, 4, 5, and 2 more")
    assert found[6] == ("criteria", "name depth score 1")
    assert found[7][1].startswith("two lines ?[31m long")
    assert len(found[7][1]) <= 120
    assert found[8] == ("empty", "none")


def test_windows_of_a_text() -> None:
    text = "the kiwi cannot fly and the emu runs"
    spans = [
        {"start": 4, "end": 19, "score": 2.5},
        {"start": 0, "end": 3},
        {"start": 30, "end": 99},
        {"x": 1},
    ]
    given = {"2.intra": {"windows": spans, "of": 5, "cheap": 3}}
    found = windows_read(given, len(text))
    assert found == ([Window(0, 3, None), Window(4, 19, 2.5)], 5)
    assert windows_read({"windows": "none"}, 9) == ([], None)
    tokens = LexicalEncoder().tokens
    page = shown(HitRerank(1, 2, 0.5, given), Document("1", text), {"kiwi"}, tokens)
    assert (page["reasons"], page["of"]) == ([("2.intra cheap", "3")], 5)
    assert ["".join(f.text for f in window["fragments"]) for window in page["windows"]] == [
        "the",
        "kiwi cannot fly",
    ]
    assert [f.text for f in page["windows"][1]["fragments"] if f.marked] == ["kiwi"]


def test_before_and_after_of_pages_of_different_length() -> None:
    before = [Hit("a", 1.0), Hit("b", 0.5)]
    after = [Hit("b", 0.5, rerank=HitRerank(11, 12))]
    first, second = before_and_after(before, after, 11)
    assert first["before"] == {"name": "a", "to": None}
    assert first["after"]["rerank"]["change"] == 1
    assert (second["rank"], second["before"]["to"], second["after"]) == (12, 11, None)


def test_legs_for_reranking_run_only_where_chosen(reranking: Any) -> None:
    def checked(**chosen: Any) -> dict[str, bool]:
        html = reranking.get("/", params={"collection": "birds", "q": "fly", **chosen}).text
        boxes = re.findall(r'name="leg" value="(\w+)"([^>]*)', html)
        ran = re.search(r"</span>late\s+<b>#", html) is not None
        assert ran == ("late" in chosen.get("leg", []))
        return {name: "checked" in rest for name, rest in boxes}

    legs = {"dense": True, "sparse": True, "lexical": True, "late": False}
    assert checked() == legs
    assert checked(leg=["elsewhere"]) == legs
    assert checked(leg=["late"]) == {**dict.fromkeys(legs, False), "late": True}
