"""A state machine that applies random operations to a collection."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from twindex.core import Document
from twindex.encoders import load_encoder
from twindex.index import CollectionConfig, merge_due
from twindex.search import Collection

ids = st.sampled_from([f"d{i}" for i in range(8)])


def words(known: list[str], most: int) -> st.SearchStrategy[str]:
    """Return a strategy of texts with at most `most` of the known words."""
    return st.lists(st.sampled_from(known), max_size=most).map(" ".join)


def in_few_examples(examples: int, steps: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


class CollectionStates(RuleBasedStateMachine):
    """Random operations on a collection. stored: the documents it must contain."""

    config: ClassVar[CollectionConfig]
    documents: ClassVar[st.SearchStrategy[Document]]
    encoders: ClassVar[Callable[..., Any]] = staticmethod(load_encoder)

    def __init__(self) -> None:
        super().__init__()
        self.stored: dict[str, Document] = {}

    @initialize()
    def create(self) -> None:
        self.path = Path(tempfile.mkdtemp())
        self.collection = Collection.create(self.path / "c", self.config, encoders=self.encoders)

    @rule(batch=st.runner().flatmap(lambda own: st.lists(own.documents, min_size=1, max_size=4)))
    def add(self, batch: list[Document]) -> None:
        self.collection.add(batch)
        self.stored.update({document.id: document for document in batch})

    @rule(names=st.lists(ids, max_size=3))
    def delete(self, names: list[str]) -> None:
        existed = [name for name in dict.fromkeys(names) if name in self.stored]
        assert self.collection.delete(names) == existed
        for name in existed:
            del self.stored[name]

    @rule()
    def seal(self) -> None:
        self.collection.seal()

    @rule()
    def merge_due(self) -> None:
        merge_due(self.collection.store)

    @rule()
    def merge(self) -> None:
        self.collection.merge()

    @rule()
    def reopen(self) -> None:
        self.collection.close()
        self.collection = Collection.open(self.path / "c", encoders=self.encoders)

    def teardown(self) -> None:
        if hasattr(self, "collection"):
            assert self.collection.verify() == []
            self.collection.close()
            shutil.rmtree(self.path)
