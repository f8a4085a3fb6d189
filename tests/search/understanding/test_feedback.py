"""Feedback and predictors in searches of a collection."""

from __future__ import annotations

import numpy as np
import pytest

from twindex.core import ConfigError, Document, InvalidInputError
from twindex.encoders import AnalyzerConfig, DenseEncoderConfig, SparseEncoderConfig
from twindex.index import CollectionConfig, DenseLeg, LexicalLeg, SparseLeg
from twindex.search import Collection
from twindex.search.feedback import moved, rm3, rocchio

CONFIG = CollectionConfig(
    legs={
        "dense": DenseLeg(encoder=DenseEncoderConfig(model="fake")),
        "sparse": SparseLeg(encoder=SparseEncoderConfig(model="fake")),
        "lexical": LexicalLeg(encoder=AnalyzerConfig(language="none")),
    }
)
FILLER = [Document(f"z{n}", f"word{n} number{n} filler{n}") for n in range(60)]
BIRDS = [
    Document("kiwi", "kiwi bird feathers island", metadata={"kind": "bird"}),
    Document("emu", "emu bird feathers desert", metadata={"kind": "bird"}),
    Document("feathers", "feathers feathers island", metadata={"kind": "thing"}),
    Document("island", "island desert sea", metadata={"kind": "place"}),
]


@pytest.fixture(scope="module")
def birds(tmp_path_factory):
    collection = Collection.create(tmp_path_factory.mktemp("birds") / "c", CONFIG)
    collection.add([*BIRDS, *FILLER])
    yield collection
    collection.close()


def ids(result):
    return [hit.id for hit in result]


def test_rm3_finds_documents_without_a_word_of_the_query(birds):
    plain = birds.search("bird", legs=["lexical"])
    assert ids(plain) == ["emu", "kiwi"]
    assert plain.stages == ()
    found = birds.search("bird", legs=["lexical"], feedback="rm3")
    assert {"feathers", "island"} <= set(ids(found))
    (stage,) = found.stages
    assert (stage.name, stage.status, stage.reason) == ("feedback", "ran", "")
    assert stage.documents == ["emu", "kiwi"]
    terms = {term.term: term.weight for term in stage.terms["lexical"].top}
    bags = [dict.fromkeys(text.split(), 1) for text in (BIRDS[1].text, BIRDS[0].text)]
    scores = [hit.score for hit in plain]
    assert terms == pytest.approx(rm3({"bird": 1}, bags, scores, 10, 0.5))
    assert found.timings["feedback"] >= stage.milliseconds * 0.5


def test_explanations_are_of_the_expanded_query(birds):
    found = birds.search("bird", legs=["lexical"], feedback="rm3", explain=True)
    for hit in found:
        total = sum(term.score for term in hit.explain["lexical"])
        assert total == pytest.approx(hit.legs["lexical"].score, rel=1e-5)
    assert {t.term for t in found[0].explain["lexical"]} > {"bird"}


def test_sparse_legs_use_the_stored_weights(birds):
    found = birds.search("kiwi bird", legs=["sparse"], feedback={"sparse": {"documents": 2}})
    (stage,) = found.stages
    with birds.store.view() as view:
        first = birds.search("kiwi bird", legs=["sparse"], limit=2)
        numbers = {document.id: n for n, document in view.documents(range(1, 65)).items()}
        query = birds._encoders["sparse"].encode(["kiwi bird"], role="query").sparse
        texts = [birds.get(one).text for one in ids(first)]
        rows = birds._encoders["sparse"].encode(texts, role="document").sparse
    assert numbers
    as_map = [
        {str(i): float(w) for i, w in zip(m.indices, m.data, strict=True)}
        for m in (query, rows[[0]], rows[[1]])
    ]
    expected = rocchio(as_map[0], as_map[1:], 50, 0.75 / 1.75)
    shown = {term.term: term.weight for term in stage.terms["sparse"].top}
    name = birds._encoders["sparse"].term
    assert shown == pytest.approx({name(int(t)): w for t, w in expected.items()}, rel=1e-4)


@pytest.mark.parametrize(("method", "k", "weight"), [("rocchio", 5, 0.6), ("average", 3, None)])
def test_dense_legs_search_the_moved_vector(birds, method, k, weight):
    plain = birds.search("kiwi bird", legs=["dense"], limit=k)
    found = birds.search("kiwi bird", legs=["dense"], feedback={"dense": method}, limit=50)
    encode = birds._encoders["dense"].encode
    query = encode(["kiwi bird"], role="query").dense[0]
    vectors = encode([birds.get(one).text for one in ids(plain)], role="document").dense
    vector = moved(query, vectors, weight)
    expected = birds.search({"vectors": {"dense": vector.tolist()}, "limit": 50})
    assert ids(found) == ids(expected)
    assert [hit.score for hit in found] == pytest.approx([hit.score for hit in expected], abs=1e-5)
    assert found.stages[0].notes == [f"dense: {method}, stored vectors of {k} passages"]


def test_filters_apply_to_both_rounds(birds):
    found = birds.search("bird", feedback="rm3", filter={"kind": {"in": ["bird", "thing"]}})
    assert set(ids(found)) <= {"kiwi", "emu", "feathers"}
    assert set(found.stages[0].documents) <= {"kiwi", "emu", "feathers"}
    only = birds.search("bird", legs=["lexical"], feedback="rm3", filter={"kind": "place"})
    assert ids(only) == []
    assert only.stages[0].reason == "the first search found no document"


def test_near_copies_count_once(tmp_path):
    config = CollectionConfig(legs={"lexical": LexicalLeg(encoder=AnalyzerConfig(language="none"))})
    text = "bird one two three four five six seven eight nine ten"
    with Collection.create(tmp_path / "c", config) as collection:
        copies = [Document(f"copy{n}", text) for n in range(5)]
        collection.add([*copies, Document("other", f"bird feathers {'x ' * 40}"), *FILLER])
        found = collection.search("bird", feedback={"lexical": {"method": "rm3", "documents": 2}})
    assert found.stages[0].documents == ["copy0", "other"]
    assert found.stages[0].notes[0].startswith("4 of the best documents repeat others")


def test_a_closed_gate_keeps_the_plain_result(birds):
    gate = {"predictor": "lexical.gap", "below": -1}
    found = birds.search("bird island", feedback={"lexical": "rm3", "gate": gate})
    plain = birds.search("bird island")
    assert [(h.id, h.score) for h in found] == [(h.id, h.score) for h in plain]
    (stage,) = found.stages
    assert stage.status == "skipped"
    assert stage.reason.startswith("lexical.gap is")
    opened = {"predictor": "lexical.gap", "above": -1}
    found = birds.search("bird island", feedback={"lexical": "rm3", "gate": opened})
    assert found.stages[0].status == "ran"


def test_predictors_are_returned_if_requested(birds):
    assert birds.search("bird").predictors is None
    found = birds.search("bird island unheard", predictors=True)
    values = found.predictors
    assert values["terms"] == 3
    assert values["unknown_terms"] == pytest.approx(1 / 3)
    best = birds.search("bird island unheard", legs=["lexical"], limit=1)[0].score
    assert values["lexical.top_score"] == pytest.approx(best)
    assert {"dense.cohesion", "overlap", "rbo", "coverage", "clarity"} <= values.keys()
    assert "sparse.cohesion" not in values
    for name, value in values.items():  # Every predictor can be the one of a gate.
        gate = {"predictor": name, "below": value}
        stage = birds.search("bird island unheard", feedback={"dense": "average", "gate": gate})
        assert stage.stages[0].status == "skipped", name


def test_batches_expand_each_query(birds):
    requests = [{"query": "bird", "feedback": "rm3"}, {"query": "bird"}]
    one, other = birds.search_batch(requests)
    assert (one.stages[0].status, other.stages) == ("ran", ())
    alone = birds.search("bird", feedback="rm3")
    assert [(h.id, h.score) for h in one] == [(h.id, h.score) for h in alone]


def test_a_vector_query_can_be_expanded(birds):
    vector = birds._encoders["dense"].encode(["bird"], role="query").dense[0].tolist()
    found = birds.search({"vectors": {"dense": vector}, "feedback": "average"})
    text = birds.search("bird", legs=["dense"], feedback="average")
    assert [h.id for h in found] == [h.id for h in text]
    np.testing.assert_allclose([h.score for h in found], [h.score for h in text], rtol=1e-5)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"feedback": "rm4"}, "must be one of rm3, rocchio, bo1, kl, average"),
        ({"feedback": {}}, "names no method"),
        ({"feedback": {"gate": {"predictor": "idf_max", "below": 1}}}, "names no method"),
        ({"feedback": {"dense": {"method": "average", "weight": 0.5}}}, "requires the method"),
        ({"feedback": {"lexical": {"documents": 0}}}, "between 1 and 100"),
        ({"feedback": {"lexical": "rm3", "gate": {"predictor": "idf_max"}}}, "got neither"),
        ({"legs": ["dense"], "feedback": "rm3"}, "lexical or sparse"),
        (
            {
                "legs": ["dense"],
                "feedback": {"dense": "average", "gate": {"predictor": "rbo", "above": 0}},
            },
            "at least two legs",
        ),
        (
            {
                "legs": ["dense"],
                "feedback": {"dense": "average", "gate": {"predictor": "lexical.gap", "above": 0}},
            },
            "does not run",
        ),
    ],
)
def test_wrong_requests_are_refused(birds, fields, message):
    with pytest.raises((ConfigError, InvalidInputError), match=message):
        birds.search("bird", **fields)
