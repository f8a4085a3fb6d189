"""A local collection and the reference store return the same after the same changes."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from twindex.core import Document, InvalidInputError
from twindex.index import LocalStore, merge_due
from twindex.search import Collection, LegRequest, SearchRequest

from .stores import LEGS, collection_on, documents, filters, ids, made

QUERY = "cat dog dog unseen"
DEPTH = 100
"""More than the number of documents, because the order of ties at a cut-off is not defined."""


def found(collection: Collection, leg: str, given: dict | None) -> dict[str, float]:
    """Return id -> score of a search in one leg. Check the other fields of its result."""
    explain = leg != "dense"
    request = SearchRequest(
        query=QUERY, legs=(LegRequest(name=leg),), filter=given, limit=DEPTH, explain=explain
    )
    result = collection.search(request)
    scores = [hit.score for hit in result.hits]
    assert scores == sorted(scores, reverse=True)
    assert (result.total, result.relation) == (len(scores), "eq")
    for hit in result.hits:
        assert hit.document == collection.get(hit.id)
        assert hit.passage is None or hit.passage.end <= len(hit.document.text)
        if explain:
            assert sum(t.score for t in hit.explain[leg]) == pytest.approx(hit.score, rel=1e-4)
    return {hit.id: hit.score for hit in result.hits}


def values_of(collection: Collection, key: str) -> dict[str, list]:
    """Return id -> the values of a field, as a view returns them."""
    with collection.store.view() as view:
        documents = view.matching(None)
        names = view.names(documents.tolist())
        found = view.values(key, documents)
        values: dict[str, list] = {name: [] for name in names.values()}
        for position, code in zip(found.positions.tolist(), found.codes.tolist(), strict=True):
            values[names[int(documents[position])]].append(found.values[code])
    return values


class TwoStores(RuleBasedStateMachine):
    @initialize()
    def create(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.local, self.reference = (made(kind, self.folder) for kind in ("local", "reference"))

    def both(self, call):
        """Return the result of a call, which must be equal in both stores."""
        results = []
        for collection in (self.local, self.reference):
            try:
                results.append(call(collection))
            except InvalidInputError as error:
                results.append(type(error))
        assert results[0] == results[1]
        return results[0]

    @rule(batch=st.lists(documents, min_size=1, max_size=4))
    def add(self, batch: list[Document]) -> None:
        self.both(lambda one: one.add(batch))

    @rule(names=st.lists(ids, max_size=3))
    def delete(self, names: list[str]) -> None:
        self.both(lambda one: one.delete(names))

    @rule(given=filters)
    def delete_where(self, given: dict) -> None:
        self.both(lambda one: one.delete_where(given))

    @rule()
    def seal(self) -> None:
        self.local.seal()

    @rule(whole=st.booleans())
    def merge(self, whole: bool) -> None:
        if whole:
            self.local.merge()
        else:
            merge_due(self.local.store)

    @rule()
    def reopen(self) -> None:
        directory = self.local.path
        self.local.close()
        self.local = collection_on(LocalStore.open(directory))

    @rule(given=filters)
    def select(self, given: dict) -> None:
        self.both(lambda one: one.count(given))
        self.both(lambda one: one.documents(filter=given))
        self.agree(given)

    @invariant()
    def the_same_is_stored(self) -> None:
        self.both(lambda one: one.documents())
        self.both(lambda one: one.fields())
        self.both(lambda one: one.info()["passages"])
        self.agree(None)

    @invariant()
    def fields_have_the_same_values(self) -> None:
        for key in ("x", "y", "y.z", "day", "id", "title"):
            self.both(lambda one, key=key: values_of(one, key))

    def agree(self, given: dict | None) -> None:
        for leg in LEGS:
            expected = found(self.reference, leg, given)
            assert found(self.local, leg, given) == pytest.approx(expected, rel=1e-5, abs=1e-6)

    def teardown(self) -> None:
        for name in ("local", "reference"):
            if hasattr(self, name):
                getattr(self, name).close()
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)


TestTwoStores = TwoStores.TestCase
TestTwoStores.settings = settings(
    stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
