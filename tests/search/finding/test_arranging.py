"""Order, facets, groups and boosts, compared with short references on random documents."""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.core import Document, InvalidInputError
from twindex.core.filters import BOOLEAN, NUMBER, STRING, flatten, meets, parse_filter
from twindex.core.filters.dates import instant
from twindex.encoders import AnalyzerConfig
from twindex.index import CollectionConfig, LexicalLeg
from twindex.search import Collection

FIELDS = st.sampled_from(["x", "y", "y.z", "id", "title", "none"])
SCALARS = st.one_of(
    st.booleans(),
    st.integers(-2, 2),
    st.sampled_from([0.5, 1.0, 2**62, -(2.0**70)]),
    st.sampled_from(["a", "ab", "", "ü", "2024-05-01", "2024-05-01T02:00:00+02:00", "2023-01-01"]),
)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), st.fixed_dictionaries({"z": SCALARS}))
DOCUMENTS = st.lists(
    st.builds(
        Document,
        id=st.sampled_from([f"d{i}" for i in range(30)]),
        text=st.lists(st.sampled_from(["cat", "dog", "elk"]), min_size=1, max_size=6).map(" ".join),
        title=st.sampled_from(["", "elk", "ant"]),
        metadata=st.dictionaries(st.sampled_from(["x", "y", "title"]), VALUES, max_size=2),
    ),
    max_size=12,
)
QUERIES = st.sampled_from(["cat", "cat dog", None])


@pytest.fixture(scope="module")
def make() -> Iterator:
    with tempfile.TemporaryDirectory() as folder:
        made = []

        def filled(documents: list[Document]) -> Collection:
            """Return a collection with these documents, some in segments, some replaced."""
            legs = {"words": LexicalLeg(encoder=AnalyzerConfig(language="none"))}
            collection = Collection.create(
                Path(folder) / str(len(made)), CollectionConfig(legs=legs)
            )
            made.append(collection)
            for start in range(0, len(documents), 5):
                collection.add(documents[start : start + 5])
                if start % 2 == 0:
                    collection.seal()
                # The values of this field are in memory now, and must be extended.
                collection.search(facets=["x", "y"])
            return collection

        yield filled
        for collection in made:
            collection.close()


def values(document: Document, field: str) -> list[tuple]:
    """Return the different values of a field, ascending, each with its kind."""
    found = {(k, v) for name, k, v in flatten(document.metadata) if name == field}
    own = {"id": document.id, "title": document.title}.get(field)
    return sorted(found | ({(STRING, own)} if own else set()))


def plain(value: tuple) -> object:
    return bool(value[1]) if value[0] == BOOLEAN else value[1]


def ranked(collection: Collection, query: str | None) -> list[tuple[Document, float]]:
    """Return all hits of a query with their scores. Without a query: every document."""
    if query is None:
        return [(one, 0.0) for one in collection.documents()]
    return [(hit.document, hit.score) for hit in collection.search(query, limit=100)]


class Reversed:
    """Compares in the opposite order."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __lt__(self, other: Reversed) -> bool:
        return other.value < self.value

    def __eq__(self, other: object) -> bool:
        return self.value == other.value


def key_of(document: Document, score: float, key: dict) -> tuple:
    if key["field"] == "_score":
        return (1, score) if key.get("order") == "asc" else (1, -score)
    found = values(document, key["field"])
    if key.get("date"):
        dates = [instant(value) for kind, value in found if kind == STRING]
        found = [at for at in dates if at is not None]
    if not found:
        return (0,) if key.get("missing") == "first" else (2,)
    return (1, Reversed(max(found)) if key.get("order") == "desc" else min(found))


SORTS = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {"field": FIELDS},
            optional={
                "order": st.sampled_from(["asc", "desc"]),
                "missing": st.sampled_from(["first", "last"]),
                "date": st.booleans(),
            },
        ),
        st.fixed_dictionaries(
            {"field": st.just("_score")}, optional={"order": st.sampled_from(["asc", "desc"])}
        ),
    ),
    min_size=1,
    max_size=3,
)


@given(DOCUMENTS, QUERIES, SORTS, st.integers(1, 4))
def test_sorted_pages_are_the_sorted_list(make, documents, query, sort, limit):
    collection = make(documents)
    wanted = sorted(
        ranked(collection, query),
        key=lambda pair: (*(key_of(*pair, key) for key in sort), pair[0].id),
    )
    found = []
    for offset in range(0, len(wanted) + 1, limit):
        page = collection.search(query, sort=sort, limit=limit, offset=offset)
        assert (page.total, page.relation) == (len(wanted), "eq")
        found += [(hit.document, hit.score) for hit in page]
    assert found == wanted


@given(DOCUMENTS, QUERIES, FIELDS, st.integers(1, 5), st.sampled_from(["count", "value"]))
def test_facets_count_every_found_document(make, documents, query, field, limit, order):
    collection = make(documents)
    request = {"field": field, "limit": limit, "order": order}
    result = collection.search(query, facets=[request], limit=1)
    own = [values(document, field) for document, _ in ranked(collection, query)]
    counts = Counter(value for one in own for value in one)
    by_count = order == "count"
    wanted = sorted(counts, key=lambda value: (-counts[value] * by_count, value))[:limit]
    (facet,) = result.facets
    assert [(one.value, one.count) for one in facet.counts] == [
        (plain(value), counts[value]) for value in wanted
    ]
    assert [type(one.value) for one in facet.counts if one.value is True or one.value is False] == [
        bool for kind, _ in wanted if kind == BOOLEAN
    ]
    assert (facet.distinct, facet.missing) == (len(counts), sum(not one for one in own))
    numbers = [value for kind, value in counts if kind == NUMBER]
    assert (facet.minimum, facet.maximum) == (
        (min(numbers), max(numbers)) if numbers else (None, None)
    )


BOUNDS = st.one_of(
    st.tuples(*[st.none() | st.integers(-3, 3)] * 2),
    st.tuples(*[st.none() | st.sampled_from(["2023-01-01", "2024-05-01", "2024-06-01"])] * 2),
).filter(lambda pair: pair != (None, None))


@given(DOCUMENTS, QUERIES, st.lists(BOUNDS, min_size=1, max_size=4))
def test_ranges_count_documents_with_a_value_inside(make, documents, query, bounds):
    collection = make(documents)
    ranges = [
        {name: one for name, one in zip(("gte", "lt"), pair, strict=True) if one is not None}
        for pair in bounds
    ]
    (facet,) = collection.search(query, facets=[{"field": "x", "ranges": ranges}]).facets
    for one, given_range in zip(facet.counts, ranges, strict=True):
        dated = any(isinstance(bound, str) for bound in given_range.values())
        condition = {"x": {"date": given_range} if dated else given_range}
        wanted = [d for d, _ in ranked(collection, query) if meets(d, parse_filter(condition))]
        assert one.count == len(wanted)


@given(DOCUMENTS, QUERIES, FIELDS, st.integers(1, 3), st.integers(0, 2), st.integers(1, 3))
def test_groups_have_the_best_hits_of_each_value(
    make, documents, query, field, size, offset, limit
):
    collection = make(documents)
    groups: dict = {}
    for document, _ in ranked(collection, query):
        for value in values(document, field) or [(math.inf, None)]:
            groups.setdefault(value, []).append(document.id)
    order = [one.id for one, _ in ranked(collection, query)]
    best = sorted(groups, key=lambda value: (order.index(groups[value][0]), value[0], value[1:]))
    shown = best[offset : offset + limit]
    result = collection.search(
        query, group={"field": field, "size": size}, offset=offset, limit=limit
    )
    assert [hit.id for hit in result] == [name for one in shown for name in groups[one][:size]]
    assert [(one.value, one.total, one.hits) for one in result.groups] == [
        (None if one[1] is None else plain(one), len(groups[one]), min(size, len(groups[one])))
        for one in shown
    ]
    assert (result.group_total, result.total) == (len(groups), len(order))


BOOSTS = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {
                "kind": st.just("filter"),
                "filter": st.sampled_from([{"x": 1}, {"y": {"exists": True}}, {"title": "elk"}]),
            },
            optional={"weight": st.sampled_from([0.0, 0.5, 3.0])},
        ),
        st.fixed_dictionaries(
            {"kind": st.just("number"), "field": FIELDS, "pivot": st.sampled_from([0.5, 2.0])},
            optional={"weight": st.sampled_from([0.0, 0.5, 3.0])},
        ),
        st.fixed_dictionaries(
            {
                "kind": st.just("decay"),
                "field": FIELDS,
                "origin": st.sampled_from([0, 1.5]),
                "scale": st.sampled_from([0.5, 2]),
            },
            optional={
                "offset": st.sampled_from([0, 1]),
                "decay": st.sampled_from([0.1, 0.5]),
                "shape": st.sampled_from(["exp", "gauss", "linear"]),
            },
        ),
        st.fixed_dictionaries(
            {
                "kind": st.just("decay"),
                "field": FIELDS,
                "origin": st.sampled_from(["2024-05-01", "2023-01-01T00:00:00Z"]),
                "scale": st.sampled_from(["30d", "26w", "1.5h"]),
            },
            optional={"offset": st.just("1d"), "shape": st.sampled_from(["gauss", "linear"])},
        ),
    ),
    min_size=1,
    max_size=3,
)
UNITS = {"d": 86_400e6, "w": 7 * 86_400e6, "h": 3_600e6}


def boosted(document: Document, boost: dict) -> float:
    if boost["kind"] == "filter":
        return float(meets(document, parse_filter(boost["filter"])))
    found = values(document, boost["field"])
    numbers = [float(value) for kind, value in found if kind == NUMBER]
    if boost["kind"] == "number":
        return max((max(0, x) / (max(0, x) + boost["pivot"]) for x in numbers), default=0.0)

    def width(value: object) -> float:
        return float(value[:-1]) * UNITS[value[-1]] if isinstance(value, str) else float(value)

    origin = boost["origin"]
    if isinstance(origin, str):
        dates = [instant(value) for kind, value in found if kind == STRING]
        numbers, origin = [at for at in dates if at is not None], instant(origin)
    decay, shape = boost.get("decay", 0.5), boost.get("shape", "exp")
    best = 0.0
    for x in numbers:
        far = max(0.0, abs(x - origin) - width(boost.get("offset", 0))) / width(boost["scale"])
        formulae = {
            "exp": lambda far: decay**far,
            "gauss": lambda far: decay ** (far * far),
            "linear": lambda far: max(0.0, 1 - (1 - decay) * far),
        }
        best = max(best, formulae[shape](far))
    return best


@given(DOCUMENTS, st.sampled_from(["cat", "cat dog"]), BOOSTS)
def test_boosts_raise_scores_and_are_explained(make, documents, query, boosts):
    collection = make(documents)
    result = collection.search(query, boosts=boosts, limit=100, explain=True)
    fused = {document.id: (document, score) for document, score in ranked(collection, query)}
    assert {hit.id for hit in result} == set(fused)
    for hit in result:
        document, score = fused[hit.id]
        for one, boost in zip(hit.boosts, boosts, strict=True):
            assert one.value == pytest.approx(boosted(document, boost), abs=1e-9)
            assert one.weight == boost.get("weight", 1.0)
            assert one.contribution == pytest.approx(one.weight * one.value * abs(score))
        assert hit.score == pytest.approx(score + sum(one.contribution for one in hit.boosts))
    order = [(-hit.score, hit.id) for hit in result]
    assert order == sorted(order)


def test_a_request_without_a_query_finds_every_document_that_meets_the_filter(make):
    collection = make([Document(f"d{i}", "cat", metadata={"n": i}) for i in range(9, -1, -1)])
    result = collection.search(facets=["n"], filter={"n": {"gte": 3}}, limit=3)
    assert [hit.id for hit in result] == ["d3", "d4", "d5"]
    assert (result.total, result.relation, result.facets[0].minimum) == (7, "eq", 3)
    assert result[0].legs == {}
    assert [hit.score for hit in result] == [0.0] * 3


@pytest.mark.parametrize(
    ("fields", "where", "words"),
    [
        ({}, "", "set `sort`, `facets` or `group`"),
        ({"sort": ["x"], "min_score": 1}, "", "`min_score` requires a query"),
        ({"sort": ["x"], "legs": ["words"]}, "", "`legs` requires a query"),
        ({"query": "cat", "sort": [""]}, "sort[0].field", "at least 1 character"),
        ({"query": "cat", "sort": [{"field": "_score", "date": True}]}, "sort[0]", "has a score"),
        ({"query": "cat", "sort": ["x"], "rerank": {"model": "a"}}, "", "remove one of them"),
        ({"query": "cat", "group": {"field": "x", "size": 100}, "limit": 11}, "", "at most 1000"),
        ({"query": "cat", "facets": [{"field": "x", "limit": 0}]}, "facets[0].limit", "between 1"),
        (
            {
                "query": "cat",
                "facets": [{"field": "x", "ranges": [{"gte": 1, "lt": "2024-01-01"}]}],
            },
            "facets[0].ranges[0]",
            "both be",
        ),
        (
            {"query": "cat", "facets": [{"field": "x", "ranges": [{"gte": "May"}]}]},
            "facets[0].ranges[0].gte",
            "ISO 8601",
        ),
        (
            {"query": "cat", "boosts": [{"kind": "filter", "filter": {"x": {"near": 1}}}]},
            "boosts",
            "near",
        ),
        (
            {
                "query": "cat",
                "boosts": [{"kind": "decay", "field": "x", "origin": "now", "scale": 3}],
            },
            "boosts[0]",
            "duration",
        ),
        (
            {"query": "cat", "boosts": [{"kind": "decay", "field": "x", "origin": 1, "scale": 0}]},
            "boosts[0]",
            "above 0",
        ),
    ],
)
def test_an_invalid_request_names_the_field(make, fields, where, words):
    collection = make([Document("d", "cat")])
    with pytest.raises(InvalidInputError) as caught:
        collection.search(fields)
    assert words in str(caught.value)
    assert (caught.value.field or "").startswith(where)
