"""Collections of a test."""

from __future__ import annotations

import pytest

from twindex.search import Collection


@pytest.fixture
def create(tmp_path):
    opened = []

    def make(config, **options):
        opened.append(Collection.create(tmp_path / f"c{len(opened)}", config, **options))
        return opened[-1]

    yield make
    for collection in opened:
        collection.close()
