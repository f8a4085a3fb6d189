"""BM25 on SciFact equals bm25s before and after many random upserts and deletes."""

from __future__ import annotations

import random
from pathlib import Path

import bm25s
import numpy as np
import pytest

from twindex.core import Document
from twindex.encoders import LexicalEncoder, PassageConfig
from twindex.eval import BeirDataset
from twindex.index import CollectionConfig, LexicalLeg, StorageConfig
from twindex.search import Collection, build

QUERIES = 60


def check(collection: Collection, stored: dict[str, Document], queries: list[str]) -> None:
    """Compare the scores of a collection with bm25s over the same documents, for each query."""
    encoder = LexicalEncoder()
    names = list(stored)

    def terms(text: str) -> list[str]:
        return [token.term for token in encoder.tokens(text)]

    retriever = bm25s.BM25(method="lucene", k1=0.9, b=0.4)
    corpus = [terms(f"{stored[name].title} {stored[name].text}".strip()) for name in names]
    retriever.index(corpus, show_progress=False)
    for query in queries:
        wanted = retriever.get_scores(terms(query))
        found = {hit.id: hit.score for hit in collection.search(query, include=(), limit=1000).hits}
        assert len(found) == min(1000, int(np.count_nonzero(wanted > 0)))
        place = {name: i for i, name in enumerate(names)}
        for name, score in found.items():
            assert score == pytest.approx(wanted[place[name]], abs=1e-4)
        # Nothing better was left out.
        assert min(found.values()) >= np.sort(wanted)[::-1][len(found) - 1] - 1e-4


@pytest.mark.parametrize("most", [48, pytest.param(1_000, marks=pytest.mark.slow)])
def test_bm25_equals_bm25s_after_changes(tmp_path: Path, shared_data: Path, most: int) -> None:
    dataset = BeirDataset.open(shared_data / "scifact")
    documents = list(dataset.documents())[: 5 * most]
    queries = [query.text for query in dataset.queries[:QUERIES]]
    # A third is added later, as new documents.
    kept, new = documents[: len(documents) * 2 // 3], documents[len(documents) * 2 // 3 :]
    config = CollectionConfig(
        legs={"lexical": LexicalLeg()},
        passages=PassageConfig(unit="none"),
        storage=StorageConfig(seal_passages=min(150, most), max_segments=3),
    )
    build(tmp_path / "c", kept, config)
    stored = {document.id: document for document in kept}
    random_ = random.Random(11)
    with Collection.open(tmp_path / "c") as collection:
        check(collection, stored, queries)
        changes = 0
        while changes < most:
            names = list(stored)
            if random_.random() < 0.35:
                gone = random_.sample(names, 8)
                assert collection.delete(gone) == gone
                for name in gone:
                    del stored[name]
                changes += len(gone)
            else:
                fresh = random_.sample(new, 8)
                changed = [
                    Document(name, random_.choice(documents).text, "changed")
                    for name in random_.sample(names, 8)
                ]
                collection.add([*fresh, *changed])
                stored.update({document.id: document for document in [*fresh, *changed]})
                changes += 16
        check(collection, stored, queries[: QUERIES // 2])
        collection.merge()
        check(collection, stored, queries[QUERIES // 2 :])
        assert collection.verify() == []
