"""Searches of collections with several vectors per passage equal MaxSim after any changes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant
from scipy.sparse import csr_array

from twindex.core import CorruptFileError, Document, Representation, Role
from twindex.encoders import PassageConfig, PromptRepsEncoderConfig, split_passages
from twindex.index import (
    CollectionConfig,
    DenseLeg,
    LocalStore,
    SparseLeg,
    StorageConfig,
)
from twindex.search import Collection, LegRequest, build

from .collection_states import CollectionStates, ids, in_few_examples, words

WORDS = ["ant", "bee", "cat", "dog", "elk", "fox", "gnu"]
QUERY = "cat dog dog fox"
CONFIG = PromptRepsEncoderConfig(variant="multi_word_multi")
COLLECTION = CollectionConfig(
    legs={"dense": DenseLeg(encoder=CONFIG), "sparse": SparseLeg(encoder=CONFIG)},
    passages=PassageConfig(unit="words", size=4, overlap=1, threshold=5),
    storage=StorageConfig(max_segments=2),
)
VECTORS = np.random.default_rng(0).integers(-3, 4, (len(WORDS), 5)).astype(np.float32)


class OneVectorPerWord:
    """A fake encoder with one vector per word.

    A word's sparse vector has weight 2 for the word and 1 for the next word. A text without words
    has one vector of zeros.
    """

    gives = frozenset({"dense", "sparse"})
    fingerprint: Mapping[str, Any] = {"model": "one vector per word"}

    def encode(
        self,
        texts: Sequence[str],
        *,
        role: Role,
        advance: Callable[[int], None] | None = None,
    ) -> Representation:
        counts, dense, sparse = [0], [np.empty((0, 5))], [np.empty((0, len(WORDS)))]
        for text in texts:
            words = [WORDS.index(word) for word in text.split() if word in WORDS]
            weights = np.zeros((max(1, len(words)), len(WORDS)))
            for row, word in enumerate(words):
                weights[row, word] = 2
                if row + 1 < len(words):
                    weights[row, words[row + 1]] = max(1, weights[row, words[row + 1]])
            dense.append(VECTORS[words] if words else np.zeros((1, 5)))
            sparse.append(weights)
            counts.append(len(weights))
        return Representation(
            dense=np.concatenate(dense).astype(np.float32),
            sparse=csr_array(np.concatenate(sparse).astype(np.float32)),
            offsets=np.cumsum(counts),
        )

    def term(self, index: int) -> str:
        return WORDS[index]


def load(config: object) -> OneVectorPerWord:
    return OneVectorPerWord()


def expected(stored: Mapping[str, Document], leg: str) -> dict[str, float]:
    """Return id -> MaxSim score of the best passage, computed from the documents."""

    def vectors(text: str) -> Any:
        found = OneVectorPerWord().encode([text], role="document")
        return found.dense if leg == "dense" else found.sparse.toarray()

    scores = {}
    for name, document in stored.items():
        spans = split_passages(document.text, COLLECTION.passages)
        texts = [document.text[span.start : span.end] for span in spans] or [document.text]
        products = [vectors(QUERY) @ vectors(text).T for text in texts]
        score = max(float(product.max(axis=1).sum()) for product in products)
        if leg == "dense" or score > 0:
            scores[name] = score
    return scores


def check(collection: Collection, stored: Mapping[str, Document]) -> None:
    for leg in COLLECTION.legs:
        of_two = {name: d for name, d in stored.items() if d.metadata["year"] == 2}
        for condition, kept in ((None, stored), ({"year": 2}, of_two)):
            fields = {"legs": [LegRequest(name=leg)], "limit": 100, "filter": condition}
            hits = collection.search(QUERY, explain=True, **fields).hits
            assert {hit.id: hit.score for hit in hits} == expected(kept, leg)
            order = [(-hit.score, hit.id) for hit in hits]
            assert order == sorted(order)
            for hit in hits:
                terms = (hit.explain or {}).get(leg, ())
                assert sum(term.score for term in terms) == (hit.score if leg == "sparse" else 0)


documents = st.builds(
    Document,
    id=ids,
    text=words(WORDS, most=12),
    metadata=st.fixed_dictionaries({"year": st.integers(1, 2)}),
)


class MultiStates(CollectionStates):
    config = COLLECTION
    documents = documents
    encoders = staticmethod(load)

    @invariant()
    def searches_like_a_fresh_index(self) -> None:
        if hasattr(self, "collection"):
            check(self.collection, self.stored)


TestMultiStates = MultiStates.TestCase
TestMultiStates.settings = in_few_examples(20, steps=12)


def some_documents() -> dict[str, Document]:
    rng = np.random.default_rng(1)
    texts = [" ".join(rng.choice(WORDS, rng.integers(0, 12))) for _ in range(40)]
    return {f"d{i}": Document(f"d{i}", t, metadata={"year": i % 3}) for i, t in enumerate(texts)}


def test_offline_build_ranks_by_max_sim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later shard replaces documents of an earlier one."""
    monkeypatch.setattr(sys.modules["twindex.search.writing.build"], "SHARD_DOCUMENTS", 9)
    stored = some_documents()
    old = [Document(f"d{i}", "ant bee cat", metadata={"year": 2}) for i in range(5)]
    build(tmp_path / "c", [*old, *stored.values()], COLLECTION, encoders=load)
    collection = Collection.open(tmp_path / "c", encoders=load)
    check(collection, stored)
    collection.close()


def test_terms_are_those_of_the_best_passage(tmp_path: Path) -> None:
    """In a segment and in the delta. A dense leg has no terms."""
    collection = Collection.create(tmp_path / "c", COLLECTION, encoders=load)
    query = OneVectorPerWord().encode(["gnu"], role="query")
    for name, text in (("sealed", "gnu ant gnu"), ("new", "bee cat cat dog elk fox gnu bee")):
        collection.add([Document(name, text)])
        if name == "sealed":
            collection.seal()
    with collection.store.view() as view:
        result = view.search("sparse", query, 10, view.select(None))[0]
        found = [
            [(term.term, term.weight) for term in terms]
            for terms in view.terms("sparse", result.passages)
        ]
        dense = view.search("dense", query, 10, view.select(None))[0]
        assert [list(terms) for terms in view.terms("dense", dense.passages)] == [[], []]
    numbers = {word: str(index) for index, word in enumerate(WORDS)}
    assert found == [  # The second document's best passage is its second.
        [(numbers[word], 2.0) for word in words]
        for words in (["ant", "gnu"], ["dog", "elk", "fox", "gnu"])
    ]
    collection.close()


def test_damaged_offsets_are_named_at_open(tmp_path: Path) -> None:
    """With `verify="size"` too: the segment checks the offsets when it maps its files."""
    collection = Collection.create(tmp_path / "c", COLLECTION, encoders=load)
    collection.add(some_documents().values())
    collection.seal()
    collection.close()
    (file,) = (tmp_path / "c").glob("segments/*/dense/offsets.npy")
    offsets = np.load(file)
    offsets[3] = offsets[4]
    np.save(file, offsets)
    with pytest.raises(CorruptFileError, match=r"offsets\.npy"):
        Collection.open(tmp_path / "c", encoders=load)
    # The sizes are unchanged; opening the segment finds the damage.
    with pytest.raises(CorruptFileError, match=r"offsets\.npy"):
        LocalStore.open(tmp_path / "c", verify="size")
