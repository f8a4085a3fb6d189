"""Filters through the engine: warnings, and deleting by a filter while others write."""

from __future__ import annotations

import threading
import time

import pytest

from twindex.core import CollectionConfig, Document, LexicalLeg
from twindex.index.store import collection as collections
from twindex.search import Engine


@pytest.fixture
def engine(tmp_path):
    with Engine.create(tmp_path / "c", CollectionConfig(legs={"l": LexicalLeg()})) as engine:
        engine.add(
            {
                "id": str(i),
                "title": f"T{i}",
                "text": "kiwi",
                "metadata": {"y": i, "even": i % 2 == 0},
            }
            for i in range(20)
        )
        yield engine


def test_an_unknown_field_is_a_warning_of_the_search(engine):
    result = engine.search("kiwi", filter={"evne": True})
    assert not result.hits
    assert result.warnings == ("filter: no document has a field 'evne'; did you mean 'even'?",)
    assert engine.search("kiwi", filter={"even": True, "y": {"gt": 10}}).warnings == ()
    assert engine.search_batch([]) == []


def test_an_unknown_field_is_a_warning_of_a_delete(engine):
    """Also where the filter deletes the last documents that have a field."""
    count = engine.delete_where({"or": [{"evne": True}, {"y": 3}]})
    assert count == 1
    assert count.warnings == ("filter: no document has a field 'evne'; did you mean 'even'?",)
    count = engine.delete_where({"y": {"gte": 0}})
    assert (count, count.warnings) == (19, ())
    count = engine.delete_where({"y": 1})
    assert (count, count.warnings) == (0, ("filter: no document has a field 'y'",))


def test_id_and_title_filter_a_search(engine):
    assert [hit.id for hit in engine.search("kiwi", filter={"id": "7"}).hits] == ["7"]
    found = engine.search("kiwi", filter={"title": {"prefix": "T1"}}, limit=20).hits
    assert len(found) == 11
    assert engine.count({"id": {"in": ["1", "2", "x"]}}) == 2
    assert engine.delete_where({"id": {"ne": "3"}, "y": {"lt": 5}}) == 4
    assert engine.get("3").title == "T3"


def test_a_slow_filter_does_not_keep_writes_waiting(engine, monkeypatch):
    """The filter is looked up outside the write lock; what is written meanwhile counts too."""
    looking, written = threading.Event(), threading.Event()
    select = collections.select

    def slow(connection, condition):
        found = select(connection, condition)
        looking.set()
        assert written.wait(30), "a write waits for the filter"
        return found

    monkeypatch.setattr(collections, "select", slow)
    deleted: list[int] = []
    thread = threading.Thread(target=lambda: deleted.append(engine.delete_where({"even": True})))
    thread.start()
    assert looking.wait(30)
    began = time.perf_counter()
    engine.add([Document("new", "kiwi", metadata={"even": True})])
    engine.add([Document("2", "kiwi", metadata={"even": False})])  # no longer met
    engine.add([Document("3", "kiwi", metadata={"even": True})])  # met by now
    engine.delete(["4"])
    assert time.perf_counter() - began < 20
    written.set()
    thread.join(30)
    assert deleted == [10]  # of the even 0 to 18: not 2 and 4; and new, and 3
    assert engine.count({"even": True}) == 0
    assert engine.get("2").metadata == {"even": False}
    assert engine.count() == 10
