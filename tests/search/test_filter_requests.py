"""Filters through a collection: warnings, and deleting by a filter while others write."""

from __future__ import annotations

import threading
import time

import pytest

from twindex.core import ConfigError, Document
from twindex.core.filters import parse_filter, parsing, show_filter
from twindex.index import CollectionConfig, LexicalLeg
from twindex.index.store.filters import changing
from twindex.search import Collection, SearchRequest


@pytest.fixture
def collection(tmp_path):
    with Collection.create(
        tmp_path / "c", CollectionConfig(legs={"l": LexicalLeg()})
    ) as collection:
        collection.add(
            {
                "id": str(i),
                "title": f"T{i}",
                "text": "kiwi",
                "metadata": {"y": i, "even": i % 2 == 0},
            }
            for i in range(20)
        )
        yield collection


def test_an_unknown_field_is_a_warning_of_the_search(collection):
    result = collection.search("kiwi", filter={"evne": True})
    assert not result.hits
    assert result.warnings == ("filter: no document has a field 'evne'; did you mean 'even'?",)
    assert collection.search("kiwi", filter={"even": True, "y": {"gt": 10}}).warnings == ()
    assert collection.search_batch([]) == []


def test_an_unknown_field_is_a_warning_of_a_delete(collection):
    """Even if the filter deletes the last documents that have a field."""
    count = collection.delete_where({"or": [{"evne": True}, {"y": 3}]})
    assert count == 1
    assert count.warnings == ("filter: no document has a field 'evne'; did you mean 'even'?",)
    count = collection.delete_where({"y": {"gte": 0}})
    assert (count, count.warnings) == (19, ())
    count = collection.delete_where({"y": 1})
    assert (count, count.warnings) == (0, ("filter: no document has a field 'y'",))


def test_id_and_title_filter_a_search(collection):
    assert [hit.id for hit in collection.search("kiwi", filter={"id": "7"}).hits] == ["7"]
    found = collection.search("kiwi", filter={"title": {"prefix": "T1"}}, limit=20).hits
    assert len(found) == 11
    assert collection.count({"id": {"in": ["1", "2", "x"]}}) == 2
    assert collection.delete_where({"id": {"ne": "3"}, "y": {"lt": 5}}) == 4
    assert collection.get("3").title == "T3"


def test_a_slow_filter_does_not_block_writes(collection, monkeypatch):
    """The filter is evaluated outside the write lock; concurrent writes are still considered."""
    looking, written = threading.Event(), threading.Event()
    select = changing.select

    def slow(connection, condition):
        found = select(connection, condition)
        looking.set()
        assert written.wait(30), "a write waits for the filter"
        return found

    monkeypatch.setattr(changing, "select", slow)
    deleted: list[int] = []
    thread = threading.Thread(
        target=lambda: deleted.append(collection.delete_where({"even": True}))
    )
    thread.start()
    assert looking.wait(30)
    began = time.perf_counter()
    collection.add([Document("new", "kiwi", metadata={"even": True})])
    collection.add([Document("2", "kiwi", metadata={"even": False})])  # No longer matches.
    collection.add([Document("3", "kiwi", metadata={"even": True})])  # Matches now.
    collection.delete(["4"])
    assert time.perf_counter() - began < 20
    written.set()
    thread.join(30)
    assert deleted == [10]  # Even ids 0 to 18 without 2 and 4, plus "new" and 3.
    assert collection.count({"even": True}) == 0
    assert collection.get("2").metadata == {"even": False}
    assert collection.count() == 10


def test_a_filter_is_parsed_once(collection, monkeypatch):
    parsed = []

    class Counted(parsing._Parser):
        def __init__(self) -> None:
            parsed.append(self)
            super().__init__()

    monkeypatch.setattr(parsing, "_Parser", Counted)
    given = {"y": {"gte": 3}, "even": True}
    request = SearchRequest(query="kiwi", filter=given)
    for ask in (
        lambda: collection.search(request),
        lambda: collection.search_batch([request]),
        lambda: collection.documents(filter=given),
        lambda: collection.count(given),
        lambda: collection.delete_where(given),
    ):
        parsed.clear()
        ask()
        assert len(parsed) == 1
    condition = parse_filter(given)
    parsed.clear()
    collection.count(condition)
    assert parsed == []


def test_a_parsed_condition_in_a_request_is_refused_with_the_remedy(collection):
    condition = parse_filter({"even": True})
    with pytest.raises(ConfigError) as caught:
        collection.search("kiwi", filter=condition)
    assert caught.value.field == "filter"
    assert "got the parsed condition Equal" in str(caught.value)
    assert "show_filter(condition)" in str(caught.value)
    assert collection.search("kiwi", filter=show_filter(condition)).total == 10
