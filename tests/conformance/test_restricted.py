"""A part of a collection returns and changes only documents that meet its filter."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from twindex.core import (
    ConflictError,
    Document,
    InvalidInputError,
    NotFoundError,
    UnsupportedByStoreError,
)
from twindex.core.filters import meets as document_meets
from twindex.core.filters import parse_filter
from twindex.search import SearchRequest

from ..house import scaled
from .reference_store import meets
from .stores import STORES, documents, filters, made
from .test_filter_meaning import MIXED

ACME = {"tenant": "acme"}
DOCUMENTS = [
    Document("a1", "ant bee ant", metadata={"tenant": "acme", "year": 1}),
    Document("a2", "ant cat dog elk fox ant bee", metadata={"tenant": "acme", "colour": "red"}),
    Document("z1", "ant bee ant bee", metadata={"tenant": "zeta", "secret": 7, "year": "old"}),
    Document("z2", "dog ant", metadata={"tenant": "zeta", "colour": 3}),
]


@pytest.fixture(params=sorted(STORES))
def whole(request, tmp_path):
    with made(request.param, tmp_path) as collection:
        collection.add(DOCUMENTS)
        yield collection


@pytest.fixture
def part(whole):
    return whole.within(ACME)


@given(documents, filters)
@settings(max_examples=scaled(300), deadline=None)
def test_a_document_meets_the_conditions_that_the_literal_reference_meets(document, given):
    condition = parse_filter(given)
    assert document_meets(document, condition) == meets(document, condition)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    with made("local", tmp_path_factory.mktemp("mixed")) as collection:
        collection.add(MIXED)
        yield collection


@given(filters, filters)
@settings(max_examples=scaled(60), deadline=None)
def test_a_part_searches_as_the_whole_does_with_both_filters(mixed, forced, own):
    part = mixed.within(forced)
    both = {"and": [forced, own]}
    request = SearchRequest(query="bird", filter=own, limit=100)
    wanted = mixed.search(SearchRequest(query="bird", filter=both, limit=100))
    found = part.search(request)
    assert [(h.id, h.score) for h in found.hits] == [(h.id, h.score) for h in wanted.hits]
    assert found.total == wanted.total
    assert part.count(own) == mixed.count(both)
    assert list(part.scan(own)) == list(mixed.scan(both))
    assert part.within(own).count() == mixed.count(both)
    inside = {one.id for one in MIXED if meets(one, parse_filter(forced))}
    kept = {name for one in MIXED if one.id in inside for name in _fields(one)}
    assert set(part.fields(1_000)) == kept
    for one in MIXED[:20]:
        if one.id in inside:
            assert part.get(one.id).id == one.id
        else:
            with pytest.raises(NotFoundError, match=f"there is no document '{one.id}'"):
                part.get(one.id)


def _fields(document):
    from twindex.core.filters import flatten

    return {key for key, _, _ in flatten(document.metadata)}


def test_a_part_counts_and_describes_only_its_documents(part, whole):
    info = part.info()
    assert (info["documents"], info["passages"]) == (2, 3)
    assert info["generation"] == whole.info()["generation"]
    assert not {"segments", "bytes", "delta", "sealed"} & set(info)
    assert part.languages == {}


def test_warnings_of_a_part_name_no_field_outside(part):
    (warning,) = part.search("ant", filter={"secret": 7}).warnings
    assert warning == "filter: no document has a field 'secret'"
    (warning,) = part.search("ant", filter={"secrets": 7}).warnings
    assert "did you mean" not in warning
    assert "did you mean 'year'" in part.search("ant", filter={"yearr": 1}).warnings[0]
    (warning,) = part.search("ant", filter={"year": "old"}).warnings
    assert warning == "filter: 'year' is compared with a string, but documents store a number"
    assert part.search("ant", filter={"year": 1}).warnings == ()


def test_a_part_writes_only_documents_that_meet_its_filter(part, whole):
    with pytest.raises(InvalidInputError, match="outside the filter"):
        part.add([{"id": "a3", "text": "ant", "metadata": {"tenant": "zeta"}}])
    with pytest.raises(InvalidInputError, match="outside the filter"):  # Not "unchanged".
        part.add([DOCUMENTS[2]])
    part.add([{"id": "a3", "text": "ant", "metadata": {"tenant": "acme"}}])
    assert part.count() == 3
    assert whole.count() == 5


def test_a_part_replaces_no_document_outside(part, whole):
    mine = Document("z1", "mine", metadata={"tenant": "acme"})
    with pytest.raises(ConflictError, match="the id 'z1' cannot be used here"):
        part.check_document(mine)
    with pytest.raises(ConflictError, match="choose another id"):
        part.add([mine, Document("a9", "ant", metadata={"tenant": "acme"})])
    assert whole.get("z1").text == "ant bee ant bee"
    assert whole.count() == 4
    part.add([Document("a1", "new", metadata={"tenant": "acme"})])
    assert whole.get("a1").text == "new"


def test_a_part_deletes_no_document_outside(part, whole):
    assert part.delete(["z1", "a1"]) == ["a1"]
    assert part.delete_where({"id": {"in": ["z1", "z2"]}}) == 0
    with pytest.raises(InvalidInputError):  # Only one that could match every document.
        part.delete_where({})
    assert part.delete_where({"year": {"exists": False}}) == 1
    assert sorted(one.id for one in whole.scan()) == ["z1", "z2"]


def test_a_part_has_no_maintenance_and_no_export(part, tmp_path):
    for call in (part.merge, part.seal, part.verify, lambda: part.export(tmp_path / "out")):
        with pytest.raises(UnsupportedByStoreError):
            call()


def test_closing_a_part_leaves_the_whole_open(part, whole):
    part.close()
    assert whole.search("ant").hits


def test_usage_of_a_part_counts_for_the_whole(whole):
    part = whole.within(ACME)
    from twindex.core import Usage

    part._count(Usage(calls=1))
    assert whole.usage is not None
    assert whole.usage.calls == 1
