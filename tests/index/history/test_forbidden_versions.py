"""A part of a collection shows only the versions that meet its filter."""

from __future__ import annotations

import random

import pytest

from twindex.core import (
    ConflictError,
    Document,
    GoneError,
    NotFoundError,
    UnsupportedByStoreError,
)
from twindex.encoders import AnalyzerConfig
from twindex.index import CollectionConfig, HistoryConfig, LexicalLeg
from twindex.search import Collection

CONFIG = CollectionConfig(
    legs={"lexical": LexicalLeg(encoder=AnalyzerConfig(language="none"))}, history=HistoryConfig()
)
WORDS = ("kiwi", "emu", "bird")


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """Return a collection whose documents change hands, and its last commit."""
    rng = random.Random(5)
    collection = Collection.create(tmp_path_factory.mktemp("f") / "c", CONFIG)
    for n in range(120):
        name, owner = f"d{rng.randrange(10)}", rng.choice(["acme", "zeta"])
        text = f"{owner} {rng.choice(WORDS)} {n}"
        collection.add([Document(name, text, metadata={"owner": owner, "n": n})])
        if n % 7 == 0:
            collection.delete([f"d{rng.randrange(10)}"])
        if n % 40 == 0:
            collection.merge()
    yield collection, int(collection.info()["generation"])
    collection.close()


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_no_version_outside_the_filter_is_returned(filled, count):
    whole, last = filled
    rng = random.Random(count)
    forbidden = {
        (name, one.version)
        for name in (f"d{n}" for n in range(10))
        for one in whole.history(name)
        if one.document.metadata["owner"] != "acme"
    }
    assert len(forbidden) > 20
    part = whole.within({"owner": "acme"})
    for _ in range(count):
        name, commit = f"d{rng.randrange(10)}", rng.randrange(last + 1)
        found: list[Document] = []
        match rng.randrange(6):
            case 0:
                hits = part.search(rng.choice(WORDS), as_of=commit, limit=50)
                found = [Document(hit.id, hit.text, metadata=hit.metadata) for hit in hits]
            case 1:
                hits = part.search(sort=["n"], facets=["owner"], as_of=commit, limit=50)
                assert {one.value for one in hits.facets[0].counts} <= {"acme"}
                found = [Document(hit.id, hit.text, metadata=hit.metadata) for hit in hits]
            case 2:
                found = part.documents(as_of=commit)
            case 3:
                try:
                    found = [part.get(name, as_of=commit)]
                except NotFoundError:
                    continue
            case 4:
                try:
                    found = [one.document for one in part.history(name)]
                except NotFoundError:
                    continue
            case 5:
                name, version = rng.choice(sorted(forbidden))
                with pytest.raises((GoneError, NotFoundError)):
                    part.revert(name, version)
        assert all(one.metadata["owner"] == "acme" for one in found)


def test_a_part_does_not_switch_the_history(filled):
    part = filled[0].within({"owner": "acme"})
    with pytest.raises(UnsupportedByStoreError):
        part.set_history(None)
    assert filled[0].config.history is not None


def test_a_document_that_left_the_filter_counts_as_deleted(tmp_path):
    with Collection.create(tmp_path / "c", CONFIG) as whole:
        whole.add([Document("a", "kiwi", metadata={"owner": "acme"})])
        whole.add([Document("a", "kiwi", metadata={"owner": "zeta"})])
        (own,) = whole.within({"owner": "acme"}).history("a")
        assert own.deleted
        assert not whole.history("a")[1].deleted
        with pytest.raises(ConflictError):
            whole.within({"owner": "acme"}).revert("a", own.version)
