"""Documents with and without vectors in one batch, legs that encode beside external ones, pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twindex.core import (
    ConfigError,
    Document,
    InvalidInputError,
    Passage,
    Representation,
)
from twindex.encoders import (
    DenseEncoderConfig,
    LateEncoderConfig,
    PassageConfig,
    SparseEncoderConfig,
    load_encoder,
)
from twindex.index import CollectionConfig, DenseLeg, LexicalLeg, SparseLeg
from twindex.search import SearchRequest
from twindex.search.encoding.leg_encoders import LegEncoders
from twindex.search.writing.ingest import encode

from ...house import scaled
from .own_vectors import DENSE, bring, corpus, dense, encoded, external, query, sparse

WORDS = PassageConfig(unit="words", size=3, overlap=0, threshold=3)


# -- rows of legs ---------------------------------------------------------------------------------

LEGS = CollectionConfig(
    legs={
        "dense": DenseLeg(encoder=DenseEncoderConfig(model="fake")),
        "twin": DenseLeg(encoder=DenseEncoderConfig(model="fake")),
        "sparse": SparseLeg(encoder=SparseEncoderConfig(model="fake", max_length=8)),
    },
    passages=WORDS,
)


@settings(max_examples=scaled(30))
@given(
    st.lists(
        st.tuples(st.integers(0, 12), *[st.sampled_from(["", "one", "each"]) for _ in LEGS.legs]),
        min_size=1,
        max_size=6,
    )
)
def test_rows_come_from_the_encoder_or_from_the_document(batch):
    """Reference: one row for each passage, in order, from whoever must give it."""
    encoders = LegEncoders(LEGS, load_encoder)
    documents, wanted = [], {leg: [] for leg in LEGS.legs}
    for number, (words, *ways) in enumerate(batch):
        text = " ".join(f"w{number}x{i}" for i in range(words))
        spans = [(4 * i, 0) for i in range(max(1, -(-words // 3)))]
        count = len(spans) if words > 3 else 1
        vectors = {}
        plain = encode([Document("x", text)], LEGS, encoders)
        assert plain.passages == count
        for leg, way in zip(LEGS.legs, ways, strict=True):
            given_rows = [f"own {number} {leg} {i}" for i in range(count if way == "each" else 1)]
            make = sparse if leg == "sparse" else dense
            if way:
                rows = [make(one) for one in given_rows]
                vectors[leg] = rows if way == "each" else rows[0]
            for i in range(count):
                if way:
                    wanted[leg].append(make(given_rows[i if way == "each" else 0]))
                elif leg == "sparse":
                    row = plain.legs[leg].sparse[[i]]
                    wanted[leg].append(
                        {"indices": row.indices.tolist(), "values": row.data.tolist()}
                    )
                else:
                    wanted[leg].append(plain.legs[leg].dense[i])
        covered = all(way == "one" for way in ways)
        if covered and count > 1:  # It is not cut.
            for leg in wanted:
                del wanted[leg][1 - count :]
        documents.append(Document(f"d{number}", text, vectors=vectors))
    from twindex.sources import check_document

    found = encode([check_document(one) for one in documents], LEGS, encoders)
    for leg, rows in wanted.items():
        assert len(found.legs[leg]) == len(rows) == found.passages
        for i, row in enumerate(rows):
            if leg == "sparse":
                own = found.legs[leg].sparse[[i]]
                order = np.argsort(own.indices)
                assert own.indices[order].tolist() == row["indices"]
                assert own.data[order].tolist() == pytest.approx(row["values"])
            else:
                assert np.allclose(found.legs[leg].dense[i], row)


def test_texts_with_vectors_are_not_encoded(create):
    seen = []

    class Counting:
        gives, reader, fingerprint = frozenset({"dense"}), None, {"kind": "counting"}

        def encode(self, texts, *, role, advance=None):
            seen.extend(texts)
            return Representation(dense=DENSE.encode(texts, role=role).dense)

    config = CollectionConfig(legs={"dense": DenseLeg(encoder=DenseEncoderConfig(model="own"))})
    collection = create(config, encoders=lambda config: Counting())
    own = Document("b", "emu", vectors={"dense": dense("owl")})
    collection.add([Document("a", "kiwi"), own, Document("c", "swift")])
    assert [text for text in seen if text in ("kiwi", "emu", "swift")] == ["kiwi", "swift"]
    assert collection.search("owl").hits[0].id == "b"


def test_each_passage_has_the_vector_of_its_document(create):
    config = external().model_copy(update={"passages": WORDS})
    collection = create(config)
    collection.add([bring(Document("a", "one two three four five six seven"))])
    assert collection.info()["passages"] == 3
    (hit,) = collection.search({"query": "seven", "vectors": query("one")["vectors"]}).hits
    assert hit.legs["dense"].score == pytest.approx(
        float(dense("one two three four five six seven") @ dense("one", "query"))
    )


def test_a_document_is_not_cut_if_all_its_legs_have_one_vector(create):
    legs = {"dense": external().legs["dense"]}
    collection = create(CollectionConfig(legs=legs, passages=WORDS))
    collection.add([Document("a", "one two three four five", vectors={"dense": dense("one")})])
    assert collection.info()["passages"] == 1
    (hit,) = collection.search({"vectors": {"dense": dense("one", "query")}}).hits
    assert hit.passage is None


def test_own_passages_have_own_vectors(create):
    config = external().model_copy(update={"passages": WORDS})
    collection = create(config)
    text = "kiwi bird. emu bird"
    document = {
        "id": "a",
        "text": text,
        "passages": [[0, 10], [11, 19]],
        "vectors": {
            "dense": [dense("kiwi"), dense("emu")],
            "sparse": [sparse("kiwi"), sparse("emu")],
        },
    }
    collection.add([document])
    for word, passage in (("kiwi", Passage(0, 10)), ("emu", Passage(11, 19))):
        for leg in ("dense", "sparse"):
            request = {"vectors": {leg: query(word)["vectors"][leg]}}
            (hit,) = collection.search(request).hits
            assert hit.passage == passage
        (hit,) = collection.search({"query": word, "legs": ["lexical"]}).hits
        assert hit.passage_text == text[passage.start : passage.end]
    document["vectors"]["dense"].append(dense("owl"))
    with pytest.raises(InvalidInputError, match=r"has 3 vectors, but the document has 2 passages"):
        collection.add([document])


def test_terms_name_the_weights(create, tmp_path):
    (tmp_path / "vocabulary.txt").write_text("kiwi\nemu\n##s\n")
    leg = SparseLeg(
        encoder={"kind": "external-sparse", "vocabulary": str(tmp_path / "vocabulary.txt")}
    )
    collection = create(CollectionConfig(legs={"sparse": leg}))
    collection.add(
        [
            {"id": "a", "text": "x", "vectors": {"sparse": {"kiwi": 2, "##s": 1}}},
            {"id": "b", "text": "x", "vectors": {"sparse": {"indices": [1, 2], "values": [3, 1]}}},
            {"id": "c", "text": "x", "vectors": {"sparse": {}}},
        ]
    )
    result = collection.search({"vectors": {"sparse": {"emu": 2, "##s": 1}}, "explain": True})
    assert [(hit.id, hit.score) for hit in result.hits] == [("b", 7), ("a", 1)]
    assert [one.term for one in result.hits[0].explain["sparse"]] == ["emu", "##s"]
    for weights, words in (
        ({"owl": 1}, r"vectors.sparse.owl: is not one of the .* of leg 'sparse'"),
        ({"indices": [3], "values": [1]}, "each index must be below 3, got 3"),
        ({}, "must have at least one weight above 0"),
        ([1.0, 2.0], "is sparse and requires"),
    ):
        with pytest.raises(InvalidInputError, match=words):
            collection.search({"vectors": {"sparse": weights}})


def test_vectors_by_term_for_an_encoding_leg(create):
    collection = create(encoded())
    collection.add([Document("a", "kiwi"), Document("b", "emu")])
    index = sparse("emu")["indices"][0]
    (hit,) = collection.search({"vectors": {"sparse": {f"#{index}": 1.5}}}).hits
    assert (hit.id, hit.score) == ("b", pytest.approx(1.5 * sparse("emu")["values"][0]))


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vectors", "field", "words"),
    [
        ({}, "vectors.dense", "is required"),
        ({"dense": [1.0] * 63, "sparse": {}}, "vectors.dense", "must have 64 dimensions, got 63"),
        ({"dense": {"kiwi": 1}, "sparse": {}}, "vectors.dense", "requires a list of 64 numbers"),
        ({"dense": [1] * 64, "sparse": [1.0]}, "vectors.sparse", "is sparse and requires"),
        ({"dense": [1] * 64, "sparse": {"kiwi": 1}}, "vectors.sparse.kiwi", "vocabulary"),
        ({"dense": [1] * 64, "sparse": {}, "lexical": [1]}, "vectors.lexical", "is lexical"),
        ({"dense": [1] * 64, "sparse": {}, "late": [1]}, "vectors.late", "there is no leg 'late'"),
        ({"dens": [1] * 64}, "vectors.dens", "did you mean 'dense'?"),
    ],
)
def test_wrong_vectors_are_refused_at_every_door(create, tmp_path, vectors, field, words):
    from twindex.search import build
    from twindex.sources import parse_document

    collection = create(external())
    document = {"id": "x", "text": "bird", "vectors": vectors}
    for call in (
        lambda: collection.add([document]),
        lambda: collection.check_document(parse_document(document)),
        lambda: build(tmp_path / "built", [document], external()),
    ):
        with pytest.raises(InvalidInputError) as caught:
            call()
        assert caught.value.field == field
        assert words in caught.value.message
    assert collection.count() == 0


def test_a_document_that_can_be_added_passes_the_check(create):
    collection = create(external())
    vectors = {"dense": [0.5] * 64, "sparse": {5: 1.0}}
    collection.check_document(Document("a", "bird", vectors=vectors))
    collection.add([Document("a", "bird", vectors=vectors)])
    for wrong in (
        Document("a", "bird", vectors=vectors, passages=((3, 1),)),
        Document("", "bird", vectors=vectors),
        Document("a", "bird", vectors={**vectors, "dense": ["x"] * 64}),
    ):
        with pytest.raises(InvalidInputError):
            collection.check_document(wrong)


def test_a_leg_with_several_vectors_accepts_none(create):
    leg = DenseLeg(role="rerank", encoder=LateEncoderConfig(model="fake"))
    collection = create(CollectionConfig(legs={"late": leg, "lexical": LexicalLeg()}))
    document = {"id": "x", "text": "bird", "vectors": {"late": [1.0] * 64}}
    with pytest.raises(InvalidInputError, match="several vectors and accepts no vector"):
        collection.add([document])


def test_a_text_alone_does_not_search_an_external_leg(create):
    collection = create(external())
    collection.add(map(bring, corpus(5)))
    result = collection.search("topic1")
    assert list(result.hits[0].legs) == ["lexical"]
    assert [warning.split(":")[0] for warning in result.warnings] == [
        "leg dense did not run",
        "leg sparse did not run",
    ]
    with pytest.raises(InvalidInputError, match="encodes no text") as caught:
        collection.search("topic1", legs=["dense"])
    assert caught.value.field == "vectors.dense"
    with pytest.raises(InvalidInputError) as caught:
        collection.search_batch([{"query": "topic1"}, {"query": "topic1", "legs": ["sparse"]}])
    assert caught.value.field == "requests[1].vectors.sparse"
    alone = create(CollectionConfig(legs={"dense": external().legs["dense"]}))
    with pytest.raises(InvalidInputError, match="encodes no text"):
        alone.search("topic1")


def test_vectors_replace_a_stored_document_always(create):
    collection = create(external())
    document = bring(Document("a", "kiwi"))
    assert collection.add([document]).replaced == 0
    assert collection.add([document]).replaced == 1
    other = Document("a", "kiwi", vectors={**document.vectors, "dense": -document.vectors["dense"]})
    assert collection.add([other]).unchanged == 0
    (hit,) = collection.search({"vectors": {"dense": dense("kiwi", "query")}}).hits
    assert hit.score == pytest.approx(-1)
    assert collection.add([Document("a", "kiwi")]).unchanged == 1
    assert collection.get("a").vectors == {}


def test_requests_accept_arrays():
    request = SearchRequest(vectors={"dense": np.arange(3, dtype=np.float16)})
    assert request.vectors == {"dense": [0, 1, 2]}
    with pytest.raises(ConfigError, match=r"vectors\.dense\[1\]: must be a number, got 'x'"):
        SearchRequest.parse({"vectors": {"dense": [1, "x"]}})
