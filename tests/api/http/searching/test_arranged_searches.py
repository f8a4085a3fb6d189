"""Order, facets, groups and boosts over REST."""

from __future__ import annotations

from twindex.api.http.shapes.schemas import SearchReply

SEARCH = "/v1/collections/birds/search"


def found(client, body):
    response = client.post(SEARCH, json=body)
    assert response.status_code == 200, response.text
    return SearchReply.model_validate(response.json())


def test_hits_are_ordered_by_a_field(client):
    everything = found(client, {"query": "bird", "limit": 10})
    assert everything.facets is None
    assert everything.groups is None
    ordered = found(client, {"query": "bird", "sort": ["-year", "id"]})
    years = [hit.metadata.get("year") for hit in ordered.hits]
    known = [year for year in years if year is not None]
    assert known == sorted(known, reverse=True)
    assert years[len(known) :] == [None] * (len(years) - len(known))
    assert {hit.id for hit in ordered.hits} == {hit.id for hit in everything.hits}


def test_facets_and_groups_need_no_query(client):
    reply = found(client, {"facets": ["year", {"field": "id", "order": "value"}], "group": "year"})
    years, ids = reply.facets
    assert years.missing + sum(one.count for one in years.counts) == reply.total.value == 3
    assert [one.value for one in ids.counts] == ["emu", "kiwi", "swift"]
    assert sum(group.hits for group in reply.groups) == len(reply.hits) == 3
    assert reply.group_total == len(reply.groups)
    bounds = [{"lt": 1800}, {"gte": 1800, "lt": 1900}]
    body = {"facets": [{"field": "year", "ranges": bounds}], "filter": {"year": {"gte": 1800}}}
    raw = client.post(SEARCH, json=body).json()["facets"][0]["counts"]
    assert raw == [{"lt": 1800, "count": 0}, {"gte": 1800, "lt": 1900, "count": 1}]


def test_boosts_are_explained(client):
    boosts = [{"kind": "filter", "filter": {"year": 1813}, "weight": 2}]
    plain = found(client, {"query": "bird"})
    scores = {hit.id: hit.score for hit in plain.hits}
    raised = found(client, {"query": "bird", "boosts": boosts, "explain": True})
    for hit in raised.hits:
        (boost,) = hit.boosts
        assert boost.value == (hit.metadata.get("year") == 1813)
        assert hit.score == scores[hit.id] * (1 + 2 * boost.value)
    assert (
        "boosts"
        not in client.post(SEARCH, json={"query": "bird", "boosts": boosts}).json()["hits"][0]
    )


def test_unknown_fields_are_warnings(client):
    reply = found(client, {"query": "bird", "sort": ["yaer"], "facets": ["yeer"]})
    assert reply.warnings == [
        "sort: no document has a field 'yaer'; did you mean 'year'?",
        "facets: no document has a field 'yeer'; did you mean 'year'?",
    ]


def test_invalid_requests_name_the_field(client, problem):
    for body, field in (
        ({}, ""),
        ({"sort": ["year"], "boosts": [{"kind": "filter", "filter": {"a": 1}}]}, ""),
        ({"query": "a", "facets": [{"field": "a", "size": 3}]}, "facets[0].size"),
        ({"query": "a", "group": {"field": "a", "size": 0}}, "group.size"),
        ({"query": "a", "boosts": [{"kind": "near"}]}, "boosts[0]"),
    ):
        details = problem(client.post(SEARCH, json=body), 422, "invalid")
        assert (details.errors[0].field or "").startswith(field), details


def test_highlights_are_snippets_with_spans(client):
    wanted = {"query": "flying kiwi", "highlight": {"pre": "<b>", "post": "</b>"}, "include": []}
    hit = found(client, wanted).hits[0]
    assert hit.text is None
    (one,) = [one for one in hit.highlights if one.field == "text"]
    words = [one.text[span.start - one.start : span.end - one.start] for span in one.spans]
    assert "kiwi" in words
    assert one.marked.count("<b>") == len(words)
    assert found(client, {"query": "kiwi", "highlight": False}).hits[0].highlights is None
    reply = client.post(SEARCH, json={"query": "kiwi", "highlight": {"size": 0}})
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["field"] == "highlight.size"
