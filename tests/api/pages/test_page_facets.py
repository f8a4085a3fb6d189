"""Order, facets, groups and lists without a query on the search page."""

from __future__ import annotations

import json
import re
from html import unescape
from urllib.parse import parse_qs

import pytest

FILMS = [
    ("a", 2019, ["drama", "robots"]),
    ("b", 2023, ["action", "robots"]),
    ("c", 2019, ["drama"]),
    ("d", None, []),
]


@pytest.fixture
def films(serve, fake_config):
    """A page of a server with four films."""
    client = serve()
    assert client.put("/v1/collections/films", json=fake_config).status_code == 201
    for name, year, genres in FILMS:
        metadata = {"genres": genres} | ({} if year is None else {"year": year})
        path = f"/v1/collections/films/documents/{name}"
        body = {"text": f"A robot, number {name}.", "metadata": metadata}
        assert client.put(path, json=body).status_code == 201

    def get(status=200, **parameters):
        response = client.get("/", params={"collection": "films", **parameters})
        assert response.status_code == status, response.text
        return response.text

    return get


def ids(text):
    return re.findall(r'<span class="id">([^<]+)</span>', text)


def facet(text, field):
    """Return value -> (count, parameters of its link) of one facet."""
    section = re.search(rf'<section aria-label="{field}">.*?</section>', text, re.DOTALL)
    rows = re.findall(r'href="([^"]+)"[^>]*>([^<]+)</a>\s*<span class="count">(\d+)', section[0])
    return {
        name: (int(count), parse_qs(unescape(link).partition("?")[2])) for link, name, count in rows
    }


def test_values_are_counted_and_narrow_the_search(films):
    text = films(q="robot")
    assert {name: count for name, (count, _) in facet(text, "genres").items()} == {
        "drama": 2,
        "robots": 2,
        "action": 1,
        "no genres": 1,
    }
    for field in ("genres", "year"):
        for count, link in facet(text, field).values():
            narrowed = films(**link)
            assert len(ids(narrowed)) == count
            assert 'aria-label="Remove: ' in narrowed
    narrowed = films(**facet(text, "genres")["action"][1])
    widened = facet(narrowed, "genres")["action"][1]  # The link now removes the condition.
    assert "filter" not in widened
    assert len(ids(films(**widened))) == len(FILMS)


def test_only_chosen_fields_are_counted(films):
    text = films(q="robot", facet="year")
    assert facet(text, "year")["2019"][0] == 2
    assert 'aria-label="genres"' not in text
    assert '<details class="facets" open>' in text
    assert 'name="facet" value="year" checked' in text


def test_a_facet_without_repeated_values_is_shown_only_if_chosen(films):
    assert 'aria-label="id"' not in films(q="robot")
    assert len(facet(films(q="robot", facet="id"), "id")) == 4


def test_further_values_are_on_a_link(films):
    text = films(q="robot", facet="id", **{"facet.limit": "1"})
    link = re.search(r'href="([^"]+)">and 3 more', text)[1]
    assert len(facet(films(**parse_qs(unescape(link).partition("?")[2])), "id")) == 4


@pytest.mark.parametrize(
    ("sort", "expected"),
    [(["-year", "-id"], ["b", "c", "a", "d"]), (["year"], ["a", "c", "b", "d"])],
)
def test_hits_are_ordered_by_fields(films, sort, expected):
    text = films(q="robot", sort=sort)
    assert ids(text) == expected
    assert f'<option value="{sort[0]}" selected>' in text
    assert ids(films(sort=sort)) == expected  # Also without a query.


def test_the_best_hits_of_each_value_are_grouped(films):
    text = films(q="robot", group="year", sort="id", **{"group.size": "1"})
    titles = re.findall(r'<h2 class="group">year: <a [^>]*>([^<]+)</a>', text)
    assert titles == ["2019", "2023", "no year"]
    assert ids(text) == ["a", "b", "d"]
    assert "in 3 groups" in text
    paged = films(q="robot", group="year", sort="id", limit="2")
    link = unescape(re.search(r'rel="next" href="([^"]+)"', paged)[1])
    assert ids(films(**parse_qs(link.partition("?")[2]))) == ["d"]


def test_documents_are_listed_without_a_query(films):
    text = films(filter=json.dumps({"genres": "drama"}))
    assert ids(text) == ["a", "c"]
    assert "Fused score" not in text
    assert "Fused score" in films(q="robot")
    assert 'class="cards"' in films()


def test_options_that_contradict_each_other_are_refused(films):
    assert "<code>limit</code>" in films(422, sort="id", limit="0")
    assert "group.size" in films(422, q="robot", group="year", **{"group.size": "500"})


def test_a_field_named_like_an_operator_of_filters_is_no_link(serve, fake_config):
    client = serve()
    client.put("/v1/collections/odd", json=fake_config)
    for name in "ab":
        body = {"text": "robot", "metadata": {"and": "x", "<b>": "<i>"}}
        client.put(f"/v1/collections/odd/documents/{name}", json=body)
    text = client.get("/?collection=odd&q=robot&facet=and&facet=<b>").text
    assert '<section aria-label="&lt;b&gt;">' in text
    assert "<i>" not in text
    section = re.search(r'<section aria-label="and">.*?</section>', text, re.DOTALL)[0]
    assert "href" not in section
