"""The top terms of a sparse leg for the query and for each hit."""

from __future__ import annotations

import pytest

from twindex.core import Document
from twindex.encoders import (
    PassageConfig,
    PromptRepsEncoderConfig,
    SparseEncoderConfig,
    load_encoder,
)
from twindex.index import CollectionConfig, DenseLeg, LexicalLeg, SparseLeg
from twindex.search import Collection
from twindex.search.finding.explain import TERMS

LONG = " ".join(f"word{n}" for n in range(TERMS + 15))
DOCUMENTS = [
    Document("kiwi", "The kiwi cannot fly. Kiwi, kiwi!"),
    Document("gull", "The gull flies over the sea."),
    Document("long", f"kiwi {LONG}"),
]


def engine_of(path, encoder, **options):
    legs = {"sparse": SparseLeg(encoder=encoder), "lexical": LexicalLeg()}
    if isinstance(encoder, PromptRepsEncoderConfig):
        legs["dense"] = DenseLeg(encoder=encoder)
    collection = Collection.create(path, CollectionConfig(legs=legs, **options))
    collection.add(DOCUMENTS)
    return collection


def expected(encoder, text, role):
    """All terms by brute force, each with its greatest weight over several vectors."""
    rows = encoder.encode([text], role=role).sparse.toarray().max(axis=0)
    named = [(encoder.term(index), pytest.approx(rows[index])) for index in rows.nonzero()[0]]
    return dict(named)


@pytest.mark.parametrize(
    "config",
    [
        SparseEncoderConfig(model="fake"),
        PromptRepsEncoderConfig(model="fake"),
        PromptRepsEncoderConfig(model="fake", variant="multi_word_multi"),
    ],
    ids=["splade", "single", "multi"],
)
@pytest.mark.parametrize("sealed", [False, True])
def test_terms_equal_those_of_the_encoder(tmp_path, config, sealed):
    encoder = load_encoder(config)
    with engine_of(tmp_path / "c", config) as collection:
        if sealed:
            collection.seal()
        for query in ("kiwi bird", f"kiwi {LONG}"):
            result = collection.search(query, explain=True)
            texts = [(result.query_terms, query, "query")]
            texts += [(h.terms, h.document.text, "document") for h in result.hits if h.terms]
            assert len(texts) >= 3
            for terms, text, role in texts:
                assert set(terms) == {"sparse"}
                found, wanted = terms["sparse"], expected(encoder, text, role)
                assert found.total == len(wanted)
                assert len(found.top) == min(TERMS, len(wanted))
                assert {item.term: item.weight for item in found.top}.items() <= wanted.items()
                weights = [item.weight for item in found.top]
                assert weights == sorted(weights, reverse=True)
                left = {term: w for term, w in wanted.items() if term not in
                        {item.term for item in found.top}}  # fmt: skip
                assert all(w.expected <= weights[-1] + 1e-5 for w in left.values())
    assert result.query_terms["sparse"].total > TERMS


def test_terms_come_from_the_best_passage(tmp_path):
    config = SparseEncoderConfig(model="fake")
    passages = PassageConfig(unit="words", size=8, overlap=0, threshold=8)
    with engine_of(tmp_path / "c", config, passages=passages) as collection:
        (hit,) = collection.search("word20", explain=True).hits
        text = hit.document.text[hit.passage.start : hit.passage.end]
        assert "word20" in text
        wanted = expected(load_encoder(config), text, "document")
        assert {item.term: item.weight for item in hit.terms["sparse"].top} == wanted


def test_terms_require_explain(tmp_path):
    with engine_of(tmp_path / "c", PromptRepsEncoderConfig(model="fake")) as collection:
        result = collection.search("kiwi")
        assert result.query_terms is None
        assert all(hit.terms is None and hit.explain is None for hit in result.hits)
        lexical = collection.search("kiwi", legs=[{"name": "lexical"}], explain=True)
        assert lexical.query_terms == {}
        assert all(hit.terms == {} for hit in lexical.hits)
