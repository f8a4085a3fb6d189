"""Fixtures for tests of sync."""

from __future__ import annotations

import pytest

from twindex.search import Collection
from twindex.search.syncing import reading

from .folders import NOTES, WITH_VECTORS, write


@pytest.fixture
def notes(tmp_path):
    return write(tmp_path / "notes", NOTES)


@pytest.fixture
def collection(tmp_path):
    with Collection.create(tmp_path / "c", WITH_VECTORS) as made:
        yield made


@pytest.fixture
def settled(monkeypatch):
    """Let files count as old. Return a list of the files whose content is read for a checksum."""
    monkeypatch.setattr(reading, "_SETTLED_NS", -(10**18))
    read = []
    original = reading.digest
    monkeypatch.setattr(reading, "digest", lambda path: read.append(path.name) or original(path))
    return read
