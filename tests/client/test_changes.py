"""Changes of metadata and conditional writes, in a local collection and by both clients."""

from __future__ import annotations

import pytest

import twindex

from .conftest import CONFIG


def test_metadata_changes_without_encoding(birds):
    tag = birds.update("kiwi", {"year": None, "names": {"maori": "kiwi"}})
    found = birds.get("kiwi")
    assert found.metadata == {"names": {"maori": "kiwi"}}
    assert tag == found.tag
    assert birds.count({"names.maori": "kiwi"}) == 1
    report = birds.update_many(["emu", "dodo", "emu"], {"seen": True})
    assert report == twindex.core.UpdateReport(1, 0, ("dodo",))
    assert birds.update_where({"seen": True}, {"seen": True}).unchanged == 1
    report = birds.update_where({"yeer": 7}, {"x": 1})
    assert (report.updated, len(report.warnings)) == (0, 1)
    assert birds.update_where({}, {"all": 1}).updated == 3


def test_a_condition_that_does_not_hold_changes_nothing(birds):
    old = birds.get("kiwi").tag
    new = birds.update("kiwi", {"x": 1}, if_match=old)
    stored = birds.get("kiwi")
    for call in (
        lambda: birds.update("kiwi", {"x": 2}, if_match=old),
        lambda: birds.put({"id": "kiwi", "text": "new"}, if_match=[old, "other"]),
        lambda: birds.put({"id": "kiwi", "text": "new"}, if_none_match="*"),
        lambda: birds.put({"id": "moa", "text": "new"}, if_match="*"),
        lambda: birds.delete(["kiwi"], if_match=old),
    ):
        with pytest.raises(twindex.PreconditionFailedError):
            call()
    assert birds.get("kiwi") == stored
    assert birds.count() == 3
    report = birds.put({"id": "moa", "text": "Extinct."}, if_none_match="*")
    assert (report.documents, report.replaced, report.unchanged) == (1, 0, 0)
    report = birds.put(twindex.Document("moa", "Extinct."))
    assert (report.documents, report.replaced, report.unchanged) == (0, 0, 1)
    report = birds.put(twindex.Document("kiwi", "A bird."), if_match=new)
    assert (report.documents, report.replaced, report.unchanged) == (1, 1, 0)
    assert birds.delete(["moa"], if_match="*") == ["moa"]
    assert birds.delete(["moa"], if_match="*") == []


def test_errors_have_equal_classes_and_fields(birds):
    with pytest.raises(twindex.NotFoundError):
        birds.update("dodo", {"x": 1})
    for call, field in (
        (lambda: birds.update("kiwi", 7), "metadata"),
        (lambda: birds.update("kiwi", {"x": 1}, if_match=7), "if_match"),
        (lambda: birds.update("kiwi", {"": 1}), "metadata"),
        (lambda: birds.update("kiwi", {"type": "text/plain"}), "metadata.type"),
        (lambda: birds.delete(["kiwi", "emu"], if_match="*"), "if_match"),
        (lambda: birds.put({"id": "kiwi"}), "text"),
    ):
        with pytest.raises(twindex.InvalidInputError) as wrong:
            call()
        assert wrong.value.field == field


def test_a_missing_collection_is_not_a_missing_document(door, named):
    collection = door.create(named, CONFIG)
    assert collection.delete(["x"], if_match="*") == []
    collection.close()
