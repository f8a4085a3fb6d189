"""A closed view raises an error, and files may go while the collection is described."""

from __future__ import annotations

import pytest

from twindex.core import StorageError
from twindex.core.filters import parse_filter
from twindex.index import CollectionConfig, LexicalLeg
from twindex.search import Collection


def test_a_closed_view_refuses_to_read(tmp_path):
    config = CollectionConfig(legs={"lexical": LexicalLeg()})
    with Collection.create(tmp_path / "c", config) as collection:
        collection.add({"id": str(n), "text": f"kiwi {n}", "metadata": {"n": n}} for n in range(4))
        condition = parse_filter({"n": {"gte": 2}})
        with collection.store.view() as view:
            assert view.count(condition) == 2
        collection.delete(["2", "3"])
        for use in (
            lambda: view.count(None),
            lambda: view.names([1]),
            lambda: view.documents([1]),
            lambda: view.select(condition),
            lambda: view.page(None, 10, None),
        ):
            with pytest.raises(StorageError, match="the view is closed"):
                use()
        with collection.store.view() as now:
            assert now.count(condition) == 0


def test_a_file_that_is_removed_while_sizes_are_counted_counts_nothing(tmp_path):
    config = CollectionConfig(legs={"lexical": LexicalLeg()})
    with Collection.create(tmp_path / "c", config) as collection:
        size = collection.info()["bytes"]["database"]
        # It is listed, but it has no size, as a file that is removed meanwhile.
        (tmp_path / "c" / "collection.db-gone").symlink_to("nowhere")
        assert collection.info()["bytes"]["database"] == size
