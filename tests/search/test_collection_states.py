"""After any sequence of changes, a collection has the scores of a fresh index."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from twindex.core import Document
from twindex.encoders import (
    AnalyzerConfig,
    DenseEncoderConfig,
    PassageConfig,
    SparseEncoderConfig,
    load_encoder,
)
from twindex.index import (
    CollectionConfig,
    DenseLeg,
    HnswConfig,
    LexicalLeg,
    SparseLeg,
    StorageConfig,
)
from twindex.search import LegRequest

from ..index.collection_states import CollectionStates, ids, in_few_examples, words

WORDS = ["ant", "bee", "cat", "dog", "elk", "fox"]
QUERY = "cat dog dog unseen"

documents = st.builds(
    Document,
    id=ids,
    text=words(WORDS, most=14),
    title=st.sampled_from(["", "elk"]),
    metadata=st.fixed_dictionaries({"year": st.integers(1, 3)}),
)


def configuration() -> CollectionConfig:
    return CollectionConfig(
        legs={
            "dense": DenseLeg(
                encoder=DenseEncoderConfig(model="fake"), index=HnswConfig(flat_below=3)
            ),
            "sparse": SparseLeg(encoder=SparseEncoderConfig(model="fake")),
            "lexical": LexicalLeg(encoder=AnalyzerConfig(language="none")),
        },
        # Small passages, so that documents have several.
        passages=PassageConfig(unit="words", size=5, overlap=1, threshold=6),
        storage=StorageConfig(max_segments=2),
    )


def passages_of(document: Document) -> list[str]:
    from twindex.encoders import split_passages

    spans = split_passages(document.text, configuration().passages)
    pieces = [document.text[s.start : s.end] for s in spans] or [document.text]
    return [f"{document.title} {piece}".strip() for piece in pieces]


def expected_scores(stored: dict[str, Document], leg: str) -> dict[str, float]:
    """id -> score of the best passage, computed only from the stored documents."""
    pieces = [(name, text) for name, d in stored.items() for text in passages_of(d)]
    if leg == "lexical":
        counts = [Counter(text.split()) for _, text in pieces]
        lengths = [sum(c.values()) for c in counts]
        mean = sum(lengths) / max(1, len(lengths))
        scores = []
        for count, length in zip(counts, lengths, strict=True):
            score = 0.0
            for term in QUERY.split():
                df = sum(term in c for c in counts)
                idf = math.log(1 + (len(pieces) - df + 0.5) / (df + 0.5))
                tf = count[term]
                if tf:
                    score += idf * tf / (tf + 0.9 * (1 - 0.4 + 0.4 * length / mean))
            scores.append(score)
    else:
        encoder = load_encoder(configuration().legs[leg].encoder)
        rows = encoder.encode([text for _, text in pieces], role="document")
        query = encoder.encode([QUERY], role="query")
        if leg == "dense":
            scores = (rows.dense @ query.dense[0]).tolist()
        else:
            scores = (rows.sparse @ query.sparse.T).toarray().ravel().tolist()
    best: dict[str, float] = {}
    for (name, _), score in zip(pieces, scores, strict=True):
        if leg == "dense" or score > 0:
            best[name] = max(best.get(name, -math.inf), score)
    return best


class EngineStates(CollectionStates):
    config = configuration()
    documents = documents

    @rule(year=st.integers(1, 3))
    def delete_where(self, year: int) -> None:
        doomed = [n for n, d in self.stored.items() if d.metadata["year"] == year]
        assert self.collection.delete_where({"year": year}) == len(doomed)
        for name in doomed:
            del self.stored[name]

    @invariant()
    def searches_like_a_fresh_index(self) -> None:
        if not hasattr(self, "collection"):
            return
        for leg in ("dense", "sparse", "lexical"):
            result = self.collection.search(QUERY, legs=[LegRequest(name=leg)], limit=100)
            wanted = expected_scores(self.stored, leg)
            found = {hit.id: hit.score for hit in result.hits}
            assert found == pytest.approx(wanted, rel=1e-4, abs=1e-5)
            order = [(-np.float32(hit.score), hit.id) for hit in result.hits]
            assert order == sorted(order)

    @invariant()
    def holds_what_was_stored(self) -> None:
        if not hasattr(self, "collection"):
            return
        assert {d.id: d for d in self.collection.documents(limit=100)} == self.stored
        assert self.collection.count() == len(self.stored)
        hits = self.collection.search(QUERY, filter={"year": {"gte": 2}}, limit=100).hits
        assert {h.id for h in hits} == {
            n for n, d in self.stored.items() if d.metadata["year"] >= 2
        }


TestEngineStates = EngineStates.TestCase
TestEngineStates.settings = in_few_examples(25, steps=14)
