"""Pairs of encoders: documents are encoded by one, queries by the other."""

from __future__ import annotations

import pytest

from twindex.core import ConfigError, Document, EncoderMismatchError, InvalidInputError
from twindex.encoders import (
    DenseEncoderConfig,
    ExternalEncoderConfig,
    PairEncoderConfig,
    load_encoder,
)
from twindex.index import CollectionConfig, DenseLeg, SparseLeg
from twindex.search import Collection

from .own_vectors import SPARSE, dense, sparse


def pair(documents, queries) -> CollectionConfig:
    leg = DenseLeg(encoder=PairEncoderConfig(documents=documents, queries=queries))
    return CollectionConfig(legs={"dense": leg})


def test_a_pair_encodes_queries_only(create):
    collection = create(
        pair(ExternalEncoderConfig(dimensions=64), DenseEncoderConfig(model="fake"))
    )
    collection.add([{"id": w, "text": "", "vectors": {"dense": dense(w)}} for w in ("kiwi", "emu")])
    assert collection.search("emu").hits[0].id == "emu"
    assert collection.search({"vectors": {"dense": dense("kiwi")}}).hits[0].id == "kiwi"
    with pytest.raises(InvalidInputError, match="encodes no text; give each document"):
        collection.add([Document("x", "owl")])


def test_a_pair_uses_two_encoders(create, tmp_path):
    documents = DenseEncoderConfig(model="fake", document_prompt="kiwi ")
    config = pair(documents, DenseEncoderConfig(model="fake", query_prompt="emu "))
    collection = create(config)
    collection.add([Document("a", "owl")])
    score = collection.search("owl").hits[0].score
    assert score == pytest.approx(float(dense("kiwi owl") @ dense("emu owl")), abs=1e-6)
    collection.close()
    with Collection.open(collection.path) as again:
        assert again.search("owl").hits[0].score == score
        stored = again.info()["legs"]["dense"]["encoder"]
        assert stored["documents.document_prompt"] == "kiwi "
        assert stored["queries.query_prompt"] == "emu "
    swapped = pair(DenseEncoderConfig(model="fake", query_prompt="emu "), documents)
    with pytest.raises(ConfigError):
        Collection.open_or_create(collection.path, swapped)

    def other(config):
        return load_encoder(swapped.legs["dense"].encoder)

    with (
        Collection.open(collection.path, encoders=other) as again,
        pytest.raises(EncoderMismatchError, match=r"documents\.document_prompt"),
    ):
        again.search("owl")


@pytest.mark.parametrize(
    ("documents", "queries", "words"),
    [
        (
            {"kind": "external", "dimensions": 8},
            {"kind": "dense", "model": "fake"},
            "64 dimensions",
        ),
        (
            {"kind": "dense", "model": "fake"},
            {"kind": "external", "dimensions": 64},
            "queries: must be an object",
        ),
        ({"kind": "dense", "model": "fake"}, {"kind": "sparse", "model": "fake"}, "both"),
        ({"kind": "late", "model": "fake"}, {"kind": "dense", "model": "fake"}, "documents"),
        ({"kind": "analyzer"}, {"kind": "dense", "model": "fake"}, "documents"),
        (
            {"kind": "pair", "documents": {"kind": "dense"}, "queries": {"kind": "dense"}},
            {"kind": "dense"},
            "documents",
        ),
    ],
)
def test_pairs_that_cannot_be_compared_are_refused(create, documents, queries, words):
    with pytest.raises(ConfigError, match=words):
        create(
            CollectionConfig.parse(
                {
                    "legs": {
                        "dense": {
                            "kind": "dense",
                            "encoder": {"kind": "pair", "documents": documents, "queries": queries},
                        }
                    }
                }
            )
        )


def test_a_sparse_pair_in_a_dense_leg_is_refused():
    sparse_pair = {
        "kind": "pair",
        "documents": {"kind": "sparse", "model": "fake"},
        "queries": {"kind": "sparse", "model": "fake"},
    }
    with pytest.raises(ConfigError, match="a dense leg requires an encoder with dense output"):
        CollectionConfig.parse({"legs": {"dense": {"kind": "dense", "encoder": sparse_pair}}})


def test_a_pair_compares_the_names_of_terms(create, tmp_path):
    names = [SPARSE.term(index) for index in range(2**15)]
    for wrong in (False, True):
        if wrong:
            names[7], names[8] = names[8], names[7]
        (tmp_path / "v.txt").write_text("\n".join(names))
        leg = SparseLeg.parse(
            {
                "encoder": {
                    "kind": "pair",
                    "documents": {"kind": "external-sparse", "vocabulary": str(tmp_path / "v.txt")},
                    "queries": {"kind": "sparse", "model": "fake"},
                }
            }
        )
        config = CollectionConfig(legs={"sparse": leg})
        if wrong:
            with pytest.raises(ConfigError, match="dimension 7 is"):
                create(config)
        else:
            collection = create(config)
            index = sparse("emu")["indices"][0]
            vectors = {"sparse": {f"#{index}": 1}}
            collection.add([{"id": "a", "text": "", "vectors": vectors}])
            assert collection.search("emu").hits[0].id == "a"


def test_a_pair_inside_a_pair_is_refused_without_a_suggestion():
    part = {"kind": "dense", "model": "fake"}
    inner = {"kind": "pair", "documents": part, "queries": part}
    with pytest.raises(ConfigError, match=r"must be an object whose kind is .*, got 'pair'$"):
        PairEncoderConfig.parse({"kind": "pair", "documents": inner, "queries": part})


def test_a_misspelled_required_field_is_reported_as_unknown():
    with pytest.raises(ConfigError, match="unknown field; did you mean `dimensions`") as caught:
        CollectionConfig.parse(
            {"legs": {"own": {"kind": "dense", "encoder": {"kind": "external", "dimension": 3}}}}
        )
    assert caught.value.field == "legs.own.encoder.dimension"


def test_an_error_of_a_vocabulary_names_its_leg(tmp_path):
    (tmp_path / "words.txt").write_text("kiwi\nkiwi\n")
    encoder = {"kind": "external-sparse", "vocabulary": str(tmp_path / "words.txt")}
    config = CollectionConfig.parse({"legs": {"words": {"kind": "sparse", "encoder": encoder}}})
    with pytest.raises(ConfigError, match="repeats the term 'kiwi'") as caught:
        Collection.create(tmp_path / "c", config)
    assert caught.value.field == "legs.words.encoder.vocabulary"
    assert not (tmp_path / "c").exists()
