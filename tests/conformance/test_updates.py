"""Changes of metadata, and conditional changes, against a model. On every store that has them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twindex.core import (
    Document,
    InvalidInputError,
    NotFoundError,
    PreconditionFailedError,
    UnsupportedByStoreError,
)
from twindex.core.filters import parse_filter
from twindex.search import Collection
from twindex.search.writing.changing.merging import merged

from ..house import scaled
from .reference_store import meets
from .stores import documents, filters, ids, made, metadata

ABLE = ["local", "reference"]
TWO = [Document("a", "ant bee", metadata={"year": 1}), Document("b", "bee", metadata={"year": 2})]


@pytest.fixture(params=ABLE)
def able(request, tmp_path):
    with made(request.param, tmp_path) as collection:
        collection.add(TWO)
        yield collection


steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.lists(documents, max_size=4)),
        st.tuples(st.just("many"), st.tuples(st.lists(ids, max_size=4), metadata)),
        st.tuples(st.just("where"), st.tuples(filters, metadata)),
        st.tuples(st.just("delete"), st.lists(ids, max_size=2)),
        st.tuples(st.just("seal"), st.none()),
    ),
    max_size=12,
)


@given(steps, filters)
@settings(max_examples=scaled(60), deadline=None)
def test_any_sequence_of_changes_gives_the_documents_of_a_model(tmp_path_factory, steps, where):
    model: dict[str, Document] = {}
    with made("local", tmp_path_factory.mktemp("model")) as collection:
        for kind, given in steps:
            if kind == "add":
                collection.add(given)
                model |= {one.id: one for one in given}
            elif kind == "delete":
                collection.delete(given)
                model = {name: one for name, one in model.items() if name not in given}
            elif kind == "seal":
                collection.seal()
            else:
                chosen, patch = given
                if kind == "many":
                    report = collection.update_many(chosen, patch)
                    names = [name for name in dict.fromkeys(chosen) if name in model]
                    assert list(report.not_found) == [
                        name for name in dict.fromkeys(chosen) if name not in model
                    ]
                else:
                    report = collection.update_where(chosen, patch)
                    condition = parse_filter(chosen)
                    names = [n for n, one in model.items() if meets(one, condition)]
                new = {
                    name: replace(model[name], metadata=merged(model[name].metadata, patch))
                    for name in names
                }
                changed = [name for name in names if new[name].tag != model[name].tag]
                assert (report.updated, report.unchanged) == (
                    len(changed),
                    len(names) - len(changed),
                )
                model |= new
            # The caches of filters and columns notice each change.
            found = collection.search(sort=["x", "id"], filter=where, facets=["x"], limit=100)
            inside = [one for one in model.values() if meets(one, parse_filter(where))]
            assert {hit.id for hit in found.hits} == {one.id for one in inside}
            assert all(hit.metadata == model[hit.id].metadata for hit in found.hits)
        assert {one.id: one.tag for one in collection.scan()} == {
            name: one.tag for name, one in model.items()
        }
        assert collection.verify() == []


def test_an_update_encodes_nothing_and_keeps_passages_and_scores(able):
    before = able.search("bee").hits
    passages = able.info()["passages"]
    tag = able.update("a", {"year": 3, "tags": ["x"]})
    assert able.get("a").metadata == {"year": 3, "tags": ["x"]}
    assert able.get("a").tag == tag
    after = able.search("bee").hits
    assert [(hit.id, hit.score) for hit in after] == [(hit.id, hit.score) for hit in before]
    assert able.info()["passages"] == passages
    assert [hit.id for hit in able.search("bee", filter={"tags": "x"}).hits] == ["a"]


def test_columns_of_sorts_facets_groups_and_boosts_notice_a_change(able):
    able.add(
        {"id": f"n{n}", "text": "bee", "metadata": {"year": n, "kind": "old"}} for n in range(9)
    )
    request = {
        "query": "bee",
        "facets": ["kind"],
        "group": "kind",
        "boosts": [{"kind": "number", "field": "year", "pivot": 1, "weight": 3}],
    }
    able.search(request)
    able.search("bee", sort=["-year"])
    able.update("n0", {"year": 1_000, "kind": "new"})
    assert able.search("bee", sort=["-year"], limit=1).hits[0].id == "n0"
    result = able.search(request)
    assert result.hits[0].id == "n0"
    assert {one.value: one.count for one in result.facets[0].counts} == {"old": 8, "new": 1}
    assert {group.value for group in result.groups} == {"old", "new", None}


def test_a_view_that_is_open_keeps_the_state_in_which_it_was_opened(able):
    with able.store.view() as view:
        able.update("a", {"year": 9})
        handles = view.matching(parse_filter({"year": 1}))
        assert view.get("a").metadata == {"year": 1}
        values = view.values("year", handles)
        assert [value for _, value in values.values] == [1]
        with able.store.view() as later:
            assert later.count(parse_filter({"year": 9})) == 1


def test_another_process_and_a_reopened_collection_see_the_change(tmp_path):
    with made("local", tmp_path) as collection:
        collection.add(TWO)
        with Collection.open(collection.path, read_only=True) as reader:
            assert [hit.id for hit in reader.search(sort=["-year"]).hits] == ["b", "a"]
            collection.update("a", {"year": 7})
            assert [hit.id for hit in reader.search(sort=["-year"]).hits] == ["a", "b"]
            assert reader.count({"year": 7}) == 1


def test_an_unknown_document_and_invalid_metadata_are_refused(able):
    with pytest.raises(NotFoundError):
        able.update("dodo", {"x": 1})
    for wrong in (None, 7, "x", []):
        with pytest.raises(InvalidInputError) as error:
            able.update("a", wrong)
        assert error.value.field == "metadata"
    assert [able.get(one.id) for one in TWO] == TWO


def test_metadata_that_encoders_read_is_refused(able):
    with pytest.raises(InvalidInputError, match="write the document again") as error:
        able.update_where({}, {"type": "text/plain"})
    assert error.value.field == "metadata.type"
    assert [able.get(one.id) for one in TWO] == TWO


def test_a_store_without_the_capability_refuses_by_name(tmp_path):
    with made("bare", tmp_path) as collection:
        collection.add(TWO)
        for call in (
            lambda: collection.update("a", {"x": 1}),
            lambda: collection.update_where({}, {"x": 1}),
            lambda: collection.put(TWO[0], if_match="*"),
            lambda: collection.delete(["a"], if_match="*"),
        ):
            with pytest.raises(UnsupportedByStoreError, match="change the metadata"):
                call()


def test_a_part_neither_reveals_nor_moves_documents_outside_its_filter(able):
    part = able.within({"year": 1})
    for call in (
        lambda: part.update("b", {"x": 1}),
        lambda: part.update("b", {"x": 1}, if_match="wrong"),
    ):
        with pytest.raises(NotFoundError, match="there is no document"):
            call()
    report = part.update_many(["a", "b"], {"x": 1})
    assert (report.updated, report.not_found) == (1, ("b",))
    assert part.update_where({}, {"y": 1}).updated == 1
    assert part.update_where({"year": 2}, {"y": 1}).updated == 0
    with pytest.raises(InvalidInputError, match="outside the filter"):
        part.update("a", {"year": 2})
    with pytest.raises(InvalidInputError, match="outside the filter"):
        part.update_where({}, {"year": None})
    assert able.get("a").metadata == {"year": 1, "x": 1, "y": 1}
    assert able.get("b") == TWO[1]
    assert part.delete(["b"], if_match="*") == []
    with pytest.raises(PreconditionFailedError, match="there is none"):
        part.put(Document("b", "new", metadata={"year": 1}), if_match="*")


def test_a_change_needs_the_expected_document(able):
    first = able.get("a").tag
    second = able.update("a", {"x": 1}, if_match=first)
    assert second == able.get("a").tag != first
    for call in (
        lambda: able.update("a", {"x": 2}, if_match=first),
        lambda: able.put(Document("a", "new"), if_match=[first, "other"]),
        lambda: able.put(Document("a", "new"), if_none_match="*"),
        lambda: able.put(able.get("a"), if_match=first),
        lambda: able.put(Document("c", "new"), if_match="*"),
        lambda: able.delete(["a"], if_match=first),
    ):
        with pytest.raises(PreconditionFailedError):
            call()
    assert able.count() == 2
    assert able.put(Document("c", "new"), if_none_match="*").documents == 1
    assert able.put(able.get("a"), if_match=second).unchanged == 1
    assert able.put(Document("a", "newer"), if_match=[first, second]).replaced == 1
    assert able.delete(["b"], if_match="*") == ["b"]
    with pytest.raises(InvalidInputError, match="one document") as error:
        able.delete(["a", "b"], if_match="*")
    assert error.value.field == "if_match"
    for wrong in (7, [7], b"x"):
        with pytest.raises(InvalidInputError) as error:
            able.update("a", {}, if_match=wrong)
        assert error.value.field == "if_match"


@given(documents, documents)
def test_equal_tags_are_equal_documents(one, two):
    assert one.tag == replace(one, metadata=dict(reversed(one.metadata.items()))).tag
    same = repr((one.id, one.text, one.title, sorted(one.metadata.items()))) == repr(
        (two.id, two.text, two.title, sorted(two.metadata.items()))
    )
    assert (one.tag == two.tag) == same


def test_the_tag_survives_a_merge_and_a_new_process(tmp_path):
    with made("local", tmp_path) as collection:
        collection.add(TWO)
        tag = collection.update("a", {"x": [1, 1.0, True]})
        collection.delete(["b"])
        collection.merge()
        path = collection.path
    with Collection.open(path) as collection:
        assert collection.get("a").tag == tag
