"""The stores that must behave alike, and strategies for documents and filters."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from twindex.core import Document
from twindex.encoders import (
    AnalyzerConfig,
    DenseEncoderConfig,
    PassageConfig,
    SparseEncoderConfig,
    load_encoder,
)
from twindex.index import CollectionConfig, DenseLeg, LexicalLeg, LocalStore, SparseLeg, Store
from twindex.rerank import FakeRerankerConfig, Needs
from twindex.search import Collection, RerankerRegistry
from twindex.search.encoding.leg_encoders import LegEncoders

from ..search.rerank_collections import Spy
from .reference_store import ReferenceStore

LEGS = ("dense", "sparse", "lexical")
CONFIG = CollectionConfig(
    legs={
        "dense": DenseLeg(encoder=DenseEncoderConfig(model="fake")),
        "sparse": SparseLeg(encoder=SparseEncoderConfig(model="fake")),
        "lexical": LexicalLeg(encoder=AnalyzerConfig(language="none")),
    },
    # Small passages, so that documents have several.
    passages=PassageConfig(unit="words", size=5, overlap=1, threshold=6),
)
RERANKER = "vectors"
"""Name of a reranker that reads the vectors of the dense leg."""


class Bare(ReferenceStore):
    """A store without optional capabilities."""

    capabilities = frozenset()


STORES = {
    "local": lambda folder: LocalStore.create(folder, CONFIG),
    "reference": lambda folder: ReferenceStore(folder, CONFIG),
    "bare": lambda folder: Bare(folder, CONFIG),
}


def collection_on(store: Store) -> Collection:
    spy = Spy(Needs(vectors="dense"))
    rerankers = RerankerRegistry({RERANKER: FakeRerankerConfig()}, load=lambda config: spy)
    return Collection(store, LegEncoders(CONFIG, load_encoder), rerankers=rerankers)


def made(kind: str, folder: Path) -> Collection:
    """Return an empty collection in a store of a kind, a key of STORES."""
    return collection_on(STORES[kind](folder / kind))


WORDS = ["ant", "bee", "cat", "dog", "elk", "fox"]
ids = st.sampled_from([f"d{i}" for i in range(8)])
scalars = st.one_of(
    st.booleans(), st.integers(-2, 2), st.sampled_from([0.5, 1.0]), st.sampled_from(["a", "ab", ""])
)
dates = st.sampled_from(["2024-05-01", "2024-05-01T02:00:00+02:00", "2023-12-31T23:59", "May"])
metadata = st.dictionaries(
    st.sampled_from(["x", "y", "day", "title"]),
    st.one_of(
        scalars,
        dates,
        st.none(),
        st.lists(scalars, max_size=2),
        st.fixed_dictionaries({"z": scalars}),
    ),
    max_size=3,
)
documents = st.builds(
    Document,
    id=ids,
    text=st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join),
    title=st.sampled_from(["", "elk"]),
    metadata=metadata,
)
operators = st.sampled_from(["gt", "gte", "lt", "lte"])
real_dates = dates.filter(lambda text: text != "May")
tests = st.one_of(
    scalars,
    scalars.map(lambda value: {"ne": value}),
    st.lists(scalars, max_size=3).map(lambda values: {"in": values}),
    st.lists(scalars, max_size=2).map(lambda values: {"contains": values}),
    st.dictionaries(operators, st.integers(-2, 2), min_size=1, max_size=2),
    st.dictionaries(operators, st.sampled_from(["a", "b", ""]), min_size=1, max_size=2),
    st.sampled_from(["", "a", "d1", "2024"]).map(lambda text: {"prefix": text}),
    st.booleans().map(lambda there: {"exists": there}),
    st.dictionaries(operators | st.just("eq"), real_dates, min_size=1, max_size=2).map(
        lambda bounds: {"date": bounds}
    ),
)
filters = st.recursive(
    st.dictionaries(
        st.sampled_from(["x", "y", "y.z", "day", "id", "title", "none"]), tests, max_size=2
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: {"and": parts}),
        st.lists(inner, max_size=3).map(lambda parts: {"or": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=5,
)
