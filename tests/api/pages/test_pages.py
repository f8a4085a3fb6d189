"""The search page and the API reference, as the server renders them."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest

ATTACK = "<script>alert('x')</script>"


@pytest.fixture
def page(client):
    def get(status=200, **parameters):
        response = client.get("/", params={"collection": "birds", **parameters})
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        return response.text

    return get


def test_the_form_without_a_query(page):
    text = page()
    assert 'name="q"' in text
    assert 'value="lexical" checked' in text
    assert "Why this score" not in text


def test_hits_have_ranks_marks_and_links(page):
    text = page(q="flying")
    assert "3</strong>" in text
    assert "cannot <mark>fly</mark>." in text
    assert re.search(r"lexical\s*<b>#1</b>", text)
    assert 'href="document?collection=birds&amp;id=kiwi&amp;q=flying' in text
    assert re.search(r"year <b>1813</b>", text)


def test_options_are_kept_and_applied(page):
    text = page(
        q="fly",
        leg=["lexical"],
        fusion="rrf",
        k="7",
        filter='{"year": {"gte": 1800}}',
        limit="1",
        explain="1",
        **{"weight.lexical": "2.5"},
    )
    assert 'value="2.5"' in text
    assert 'value="lexical" checked' in text
    assert 'value="dense" checked' not in text
    assert "<option selected>rrf" in text
    assert "gte" in text
    assert "1</strong>" in text
    assert "Why this score" in text
    assert "fli</th>" in text


def test_pages_of_hits(page):
    first = page(q="fly", limit="2")
    assert 'rel="prev"' not in first
    link = re.search(r'rel="next" href="([^"]+)"', first)[1].replace("&amp;", "&")
    assert "offset=2" in link
    second = page(q="fly", limit="2", offset="2")
    assert 'rel="next"' not in second
    assert 'start="3"' in second


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"filter": "{"}, "<code>filter</code>: is not JSON"),
        ({"filter": '{"year": {"after": 1}}'}, "unknown operator"),
        ({"limit": "0"}, "<code>limit</code>: "),
        ({"limit": "many"}, "<code>limit</code>: "),
        ({"weight.dense": "heavy"}, "<code>legs[0].weight</code>: "),
        ({"fusion": "sum"}, "<code>fusion.method</code>: "),
    ],
)
def test_errors_are_shown_on_the_page(page, parameters, expected):
    text = page(422, q="fly", **parameters)
    assert 'role="alert"' in text
    assert expected in text


def test_pages_without_the_collection_or_any(page, serve, tmp_path):
    text = page(404, collection="nope", q="x")
    assert "There is no collection “nope”" in text
    assert 'href="./?collection=birds"' in text
    assert re.search(r'<option value="" selected>', text)
    assert len(re.findall(r"<option[^>]* selected>", text.partition("</select>")[0])) == 1
    (tmp_path / "empty").mkdir()
    empty = serve(tmp_path / "empty")
    assert "No collection yet" in empty.get("/").text


def test_a_similar_name_is_suggested_for_an_unknown_collection(page):
    text = page(404, collection="brids", q="fly", filter='{"year": 1}')
    (link,) = re.findall(r'Did you mean <a href="([^"]*)">birds</a>\?', text)
    fields = parse_qs(urlsplit(unescape(link)).query)
    assert fields["collection"] == ["birds"]
    assert (fields["q"], fields["filter"]) == (["fly"], ['{"year": 1}'])


def test_searches_of_the_page_are_in_the_metrics(client, page):
    def counted() -> float:
        text = client.get("/metrics").text
        found = re.search(r'_stage_seconds_count\{stage="lexical"\} (\S+)', text)
        return float(found[1]) if found else 0.0

    before = counted()
    page(q="fly")
    assert counted() == before + 1


def links(text):
    start = text.index('<div class="notice">')
    found = re.findall(r'<a href="([^"]*)">([^<]*)</a>', text[start : text.index("</div>", start)])
    return {words: unescape(link) for link, words in found}


def test_a_page_without_hits_links_to_wider_searches(client, page):
    text = page(q="quark", leg=["lexical"], filter='{"year": 1}')
    assert "No document matches. Try other words, or:" in text
    found = links(text)
    assert set(found) == {"Remove the filter", "Search also with dense and sparse"}
    assert "No document matches" in client.get(found["Remove the filter"]).text
    found = links(client.get(found["Remove the filter"]).text)
    assert set(found) == {"Search also with dense and sparse"}
    assert 'id="hit-1"' in client.get(found["Search also with dense and sparse"]).text
    text = page(q="fly", offset="50")
    assert "There are no hits on this page" in text
    assert 'id="hit-1"' in client.get(links(text)["Go to the first page"]).text


def test_document_text_never_becomes_markup(client, page):
    client.put(
        "/v1/collections/birds/documents/evil%3Cscript%3E%22",
        json={
            "title": f"{ATTACK} fly",
            "text": f"fly {ATTACK} fly\" onload='x'",
            "metadata": {ATTACK: ATTACK},
        },
    )
    for query in ("fly script alert", ATTACK, '"><img src=x onerror=alert(1)>'):
        text = page(q=query, explain="1", filter="")
        assert len(re.findall("<script", text)) == 1  # The script of the page.
        assert "<img src=x" not in text
        assert "'x'" not in text
    for name in (
        *("collection", "filter", "limit", "k", "fusion", "weight.dense", "leg", "offset"),
        "language",
    ):
        text = client.get("/", params={"collection": "birds", "q": "fly", name: ATTACK}).text
        assert len(re.findall("<script", text)) == 1, name


def test_pages_load_only_from_the_server(client):
    for path in ("/", "/docs", "/?q=fly", "/document?collection=birds&id=kiwi"):
        response = client.get(path)
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert not re.search(r'(src|href)="(https?:)?//', response.text)
        assert not re.search(r"<style|style=|<script>| on\w+=", response.text)
        for address in re.findall(r'(?:src|href)="(static/[^"]+)"', response.text):
            assert client.get("/" + address).status_code == 200


def test_the_reference_has_every_operation(client):
    text = client.get("/docs").text
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        for method in methods:
            assert f'data-method="{method.upper()}" data-path="{path}"' in text
    targets = set(re.findall(r'href="#([^"]+)"', text))
    assert targets <= set(re.findall(r'id="([^"]+)"', text))


@pytest.mark.parametrize("path", ["/nope", "/a/b%2Fc/<b>", "/static/nope.css", "/v1/nope/"])
def test_an_unknown_path_is_a_page_for_browsers_only(client, path):
    response = client.get(path, headers={"accept": "text/html,*/*;q=0.8"})
    assert response.status_code == 404
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "There is no page /" in response.text
    assert "<b>" not in response.text
    up = re.search(r'<a href="([^"]*)">search page', response.text)[1]
    assert urljoin(str(response.url), up) == str(client.base_url) + "/"
    for accept in ("*/*", "application/json"):
        response = client.get(path, headers={"accept": accept})
        assert response.status_code == 404
        openai = path.startswith("/v1/")  # Clients of OpenAI request such paths.
        media_type = "application/json" if openai else "application/problem+json"
        assert response.headers["content-type"] == media_type
    response = client.post("/docs", headers={"accept": "text/html"})
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")


def test_an_unknown_path_below_a_proxy_leads_to_the_search_page(serve, tmp_path):
    served = serve(tmp_path, root_path="/under/a")
    for path in ("/x/y", "/under/a/x/y"):
        text = served.get(path, headers={"accept": "text/html"}).text
        assert "There is no page /x/y<" in text
        assert '<a href="../">search page' in text


def test_filters_in_the_query_become_chips(page):
    text = page(q="fly year:1813")
    assert "year is 1813" in text
    assert 'value="fly"' in text
    assert 'value="fly yaer:1813"' in page(q="fly yaer:1813")


def test_a_better_spelling_is_linked(page):
    text = page(q="kiwwi")
    assert "Did you mean" in text
    assert re.search(r'<a href="[^"]*q=kiwi[&"][^>]*>kiwi</a>', text)
    assert "Did you mean" not in page(q="kiwi")


def test_feedback_shows_what_was_searched(page):
    text = page(q="kiwi", feedback="rm3", leg="lexical")
    assert "feedback ran" in text
    assert re.search(r"terms of \d+ passage", text)
    assert "<option selected>rm3</option>" in text
