"""The page that compares two pipelines."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.api.pages.comparing import agreement

SECTION = r'<section aria-label="Hits of {}">.*?</section>'


@pytest.fixture
def compare(client):
    def get(status=200, **parameters):
        given = {"collection": "birds", **parameters}
        response = client.get("/compare", params=given)
        assert response.status_code == status, response.text
        return response.text

    return get


def ids(text, side):
    section = re.search(SECTION.format(side), text, re.DOTALL)[0]
    return re.findall(r'<span class="id">([^<]+)</span>', section)


def test_two_pipelines_run_on_one_query(compare, client):
    parameters = {"a.leg": "lexical", "b.leg": "dense", "b.weight.dense": "2"}
    text = compare(q="sleep", **parameters)
    for side, leg in (("A", "lexical"), ("B", "dense")):
        body = {"query": "sleep", "legs": [leg]}
        reply = client.post("/v1/collections/birds/search", json=body).json()
        assert ids(text, side) == [hit["id"] for hit in reply["hits"]]
    assert "Rank-biased overlap" in text
    assert "only here: not among the first" in text


def test_the_same_pipeline_twice_agrees(compare):
    text = compare(q="fly", **{"a.leg": "lexical", "b.leg": "lexical"})
    assert "Both pipelines return the same list." in text
    assert "1.000" in text
    assert "same rank in B" in text


def test_sides_can_be_swapped_and_opened(compare, client):
    text = compare(q="fly", **{"a.leg": "lexical", "b.leg": "dense", "b.filter": '{"year": 1790}'})
    assert ids(text, "B") == ["emu"]
    link = unescape(re.search(r'class="button" href="([^"]+)"', text)[1])
    swapped = compare(**parse_qs(link.partition("?")[2]))
    assert (ids(swapped, "A"), ids(swapped, "B")) == (ids(text, "B"), ids(text, "A"))
    opened = unescape(re.search(r'href="([^"]+)" aria-label="Open B', text)[1])
    page = client.get("/" + opened.removeprefix("./")).text
    assert re.findall(r'<span class="id">([^<]+)</span>', page) == ["emu"]


def test_the_search_page_links_to_a_comparison_with_its_search(client):
    page = client.get("/?collection=birds&q=fly&leg=lexical&fusion=rrf&k=7").text
    link = unescape(re.search(r'href="\./(compare[^"]*)"', page)[1])
    given = parse_qs(link.partition("?")[2])
    assert (given["q"], given["a.leg"], given["a.k"]) == (["fly"], ["lexical"], ["7"])
    text = client.get("/" + link).text
    assert "Hits of B" in text


def test_an_error_of_one_pipeline_leaves_the_other(compare):
    text = compare(422, q="fly", **{"b.filter": "{"})
    assert "B cannot run" in text
    assert len(ids(text, "A")) == 3
    assert "Rank-biased overlap" not in text


def test_pages_without_a_query_or_a_collection(compare, serve, tmp_path):
    assert "Two pipelines, one query" in compare()
    assert "There is no collection" in compare(404, collection="bird", q="x")
    assert "collection=birds" in compare(404, collection="bird", q="x")
    (tmp_path / "empty").mkdir()
    assert "No collection yet" in serve(tmp_path / "empty").get("/compare").text


def test_texts_of_an_address_are_escaped(compare):
    attack = "<script>alert(1)</script>"
    text = compare(422, q=attack, **{"a.filter": "{}", "b.rerank": attack, "a.weight.<b>": "<i>"})
    assert "<script>alert" not in text
    assert "<i>" not in text


def hits(ids):
    return [{"id": name, "rank": rank} for rank, name in enumerate(ids, 1)]


@given(st.permutations("abcdef"), st.permutations("abcdef"), st.integers(0, 6), st.integers(0, 6))
def test_ranks_and_overlap_equal_brute_force(one, other, m, n):
    one, other = one[:m], other[:n]
    a, b = ({"ids": ids, "hits": hits(ids)} for ids in (one, other))
    found = agreement(a, b)
    assert found["common"] == sum(name in other for name in one)
    assert 0 <= found["rbo"] <= 1 + 1e-9
    assert found["same"] == (one == other)
    for side, ids, sign in ((a, other, 1), (b, one, -1)):
        for hit in side["hits"]:
            move = hit["move"]
            if hit["id"] in ids:
                assert move["other"] == ids.index(hit["id"]) + 1
                assert move["change"] == sign * (hit["rank"] - move["other"])
            else:
                assert move["other"] is None
