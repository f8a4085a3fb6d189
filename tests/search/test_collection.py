"""Searches and changes of one collection: results and errors."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from twindex.core import (
    ConfigError,
    ConflictError,
    Document,
    EncoderMismatchError,
    InvalidInputError,
    NotFoundError,
    Passage,
    StorageError,
)
from twindex.encoders import (
    AnalyzerConfig,
    DenseEncoderConfig,
    FakeDenseEncoder,
    PassageConfig,
    SparseEncoderConfig,
    load_encoder,
)
from twindex.index import CollectionConfig, DenseLeg, LexicalLeg, SparseLeg, StorageConfig
from twindex.index.store.database.meta import get_meta, set_meta
from twindex.search import Collection, LegRequest, SearchRequest

LEGS = {
    "dense": DenseLeg(encoder=DenseEncoderConfig(model="fake")),
    "sparse": SparseLeg(encoder=SparseEncoderConfig(model="fake")),
    "lexical": LexicalLeg(),
}
BIRDS = [
    Document("kiwi", "The kiwi cannot fly. It lives in New Zealand.", "Kiwi", {"year": 1813}),
    Document("gull", "The gull flies over the sea.", "Gull", {"year": 1758}),
    Document("ostrich", "The ostrich runs and cannot fly.", "Ostrich", {"year": 1758}),
    Document("emu", "An emu is tall.", "Emu", {"year": 1790}),
]


@pytest.fixture
def collection(tmp_path):
    with Collection.create(tmp_path / "birds", CollectionConfig(legs=LEGS)) as collection:
        collection.add(BIRDS)
        yield collection


def test_hits_have_ranks_and_scores_of_every_leg(collection):
    result = collection.search("birds that cannot fly")
    assert {hit.id for hit in result.hits[:2]} == {"kiwi", "ostrich"}
    top = result.hits[0]
    assert set(top.legs) == {"dense", "sparse", "lexical"}
    assert top.document == next(b for b in BIRDS if b.id == top.id)
    for name in LEGS:
        alone = collection.search("birds that cannot fly", legs=[LegRequest(name=name)])
        for hit in alone.hits:
            better = sum(other.score > hit.score for other in alone.hits)
            assert hit.legs[name].rank == 1 + better
            assert hit.score == hit.legs[name].score
            in_fused = next(h for h in result.hits if h.id == hit.id)
            assert in_fused.legs[name] == hit.legs[name]
    assert {"encode", "filter", "dense", "sparse", "lexical", "fuse", "fetch"} == set(
        result.timings
    )


def test_only_the_search_that_loads_encoders_has_the_stage_load(collection, tmp_path):
    with Collection.open(tmp_path / "birds") as opened:
        lexical = opened.search("kiwi", legs=[{"name": "lexical"}])
        assert next(iter(lexical.timings)) == "load"
        assert "load" in opened.search("kiwi").timings
        assert "load" not in opened.search("gull").timings
    assert "load" not in collection.search("kiwi").timings


def test_the_best_two_of_three_equal_documents_are_those_with_the_lowest_ids(collection):
    collection.add([Document(name, "twin text") for name in ("t3", "t1", "t2")])
    # (A matrix product may give equal vectors scores that differ in the last bit.)
    lexical, sparse = {"name": "lexical"}, {"name": "sparse"}
    for legs in ([lexical], [sparse], [lexical, sparse]):
        hits = collection.search("twin", legs=legs, limit=2).hits
        assert [hit.id for hit in hits] == ["t1", "t2"]


def test_pages_neither_overlap_nor_have_gaps(collection):
    collection.add([Document(f"p{i:03}", f"word{i % 7} common") for i in range(120)])
    whole = [h.id for h in collection.search("common word3", limit=200).hits]
    paged = [
        hit.id
        for offset in range(0, 130, 13)
        for hit in collection.search("common word3", offset=offset, limit=13).hits
    ]
    assert paged == whole
    assert len(set(whole)) == len(whole)


def test_explain_adds_up_to_the_score_and_names_terms(collection):
    result = collection.search("cannot fly", explain=True)
    for hit in result.hits:
        for leg in ("sparse", "lexical"):
            if leg in hit.legs:
                terms = hit.explain[leg]
                total = sum(term.score for term in terms)
                assert total == pytest.approx(hit.legs[leg].score, rel=1e-4)
                assert terms == sorted(terms, key=lambda t: (-t.score, t.term))
    lexical = {term.term for term in result.hits[0].explain["lexical"]}
    assert lexical <= {"cannot", "fli", "fly"}
    assert "dense" not in result.hits[0].explain


def test_long_documents_are_found_by_their_best_passage(tmp_path):
    config = CollectionConfig(
        legs=LEGS, passages=PassageConfig(unit="words", size=10, overlap=2, threshold=20)
    )
    filler = "nothing to see here at all " * 20
    text = f"{filler}the axolotl regenerates its limbs {filler}"
    with Collection.create(tmp_path / "c", config) as collection:
        report = collection.add(
            [{"_id": "long", "text": text}, {"_id": "short", "text": "an axolotl"}]
        )
        assert report.documents == 2
        assert report.passages > 20
        hits = collection.search("axolotl regenerates", limit=10).hits
        assert sorted(h.id for h in hits) == ["long", "short"]
        long = next(h for h in hits if h.id == "long")
        assert isinstance(long.passage, Passage)
        assert "axolotl" in text[long.passage.start : long.passage.end]
        assert next(h for h in hits if h.id == "short").passage is None


def test_every_leg_applies_the_filter(collection):
    for legs in ((), *(({"name": name},) for name in LEGS)):
        hits = collection.search("the bird", legs=legs, filter={"year": {"lt": 1800}}).hits
        assert {h.id for h in hits} <= {"gull", "ostrich", "emu"}
    assert {h.id for h in collection.search("cannot fly", filter={"year": 1758}, limit=1).hits} == {
        "ostrich"
    }
    assert collection.count({"year": 1758}) == 2


def test_a_filter_does_not_change_scores(collection):
    legs = ({"name": "lexical"},)
    free = {h.id: h.score for h in collection.search("fly", legs=legs).hits}
    kept = {h.id: h.score for h in collection.search("fly", legs=legs, filter={"year": 1813}).hits}
    assert kept == {"kiwi": free["kiwi"]}


def test_weights_change_the_order(collection):
    lexical = collection.search(
        "gull", legs=[{"name": "lexical", "weight": 1}, {"name": "dense", "weight": 0}]
    )
    assert lexical.hits[0].id == "gull"
    assert "dense" in lexical.hits[0].legs, "a leg of weight 0 is still shown"


def test_min_score_and_include_limit_the_hits(collection):
    result = collection.search("cannot fly", min_score=0.5, include=["title"])
    assert all(hit.score >= 0.5 for hit in result.hits)
    assert result.total == len(result.hits)
    assert result.hits[0].document.title
    assert result.hits[0].document.text == ""
    assert collection.search("fly", include=[]).hits[0].document is None


def test_a_vector_replaces_the_query_text(collection):
    vector = FakeDenseEncoder(DenseEncoderConfig(model="fake")).encode(["emu"], role="query")
    hits = collection.search(SearchRequest(vectors={"dense": vector.dense[0].tolist()})).hits
    by_text = collection.search("emu", legs=[{"name": "dense"}]).hits
    assert [(h.id, h.score) for h in hits] == [(h.id, h.score) for h in by_text]


def test_relation_tells_if_the_total_is_exact(collection):
    everything = collection.search("fly", legs=[{"name": "lexical"}])
    assert (everything.total, everything.relation) == (3, "eq")
    cut = collection.search("the bird", depth=1, limit=1)
    assert cut.relation == "gte"


def test_batch_equals_single_searches(collection):
    requests = [SearchRequest(query=q, limit=3) for q in ("fly", "sea gull", "fly", "tall")]
    batch = collection.search_batch(requests)
    for request, result in zip(requests, batch, strict=True):
        assert [(h.id, h.score) for h in result.hits] == [
            (h.id, h.score) for h in collection.search(request).hits
        ]


def test_a_cut_query_is_reported(tmp_path):
    legs = {"dense": DenseLeg(encoder=DenseEncoderConfig(model="fake", max_length=8))}
    whole = PassageConfig(unit="none")
    with Collection.create(
        tmp_path / "c", CollectionConfig(legs=legs, passages=whole)
    ) as collection:
        report = collection.add([Document("a", "word " * 9), Document("b", "word")])
        assert report.truncated == {"dense": 1}
        assert collection.search("word").warnings == ()
        assert "its end was ignored" in collection.search("word " * 9).warnings[0]


def test_documents_are_replaced_listed_and_deleted(collection):
    report = collection.add([Document("emu", "now about something else", metadata={"year": 1})])
    assert (report.documents, report.replaced) == (1, 1)
    assert collection.get("emu").text == "now about something else"
    assert collection.count({"year": 1790}) == 0
    assert [d.id for d in collection.documents(limit=2)] == ["emu", "gull"]
    assert [d.id for d in collection.documents(after="gull")] == ["kiwi", "ostrich"]
    assert [d.id for d in collection.documents(filter={"year": 1758})] == ["gull", "ostrich"]
    assert collection.delete(["emu", "dodo", "emu"]) == ["emu"]
    with pytest.raises(NotFoundError, match="dodo"):
        collection.get("dodo")
    assert collection.delete_where({"year": {"gte": 1758}}) == 3
    assert collection.search("fly").hits == []


def test_the_last_of_two_equal_ids_in_one_call_counts(collection):
    collection.add([Document("x", "first"), Document("x", "second")])
    assert collection.get("x").text == "second"
    assert [h.id for h in collection.search("first", legs=[{"name": "lexical"}]).hits] == []


def test_searches_and_writes_run_concurrently(collection):
    failures: list[Exception] = []
    stop = threading.Event()

    def read() -> None:
        try:
            while not stop.is_set():
                result = collection.search("kiwi cannot fly", limit=50)
                assert "kiwi" in {h.id for h in result.hits}
        except Exception as error:  # noqa: BLE001 - told to the main thread
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for round_ in range(9):
        collection.add([Document(f"r{round_}-{i}", f"filler {i}") for i in range(5)])
        collection.delete([f"r{round_}-0"])
        if round_ % 4 == 0:
            collection.merge()
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []


def test_many_writes_start_background_maintenance(tmp_path):
    config = CollectionConfig(
        legs={"lexical": LexicalLeg()}, storage=StorageConfig(seal_passages=20, max_segments=2)
    )
    with Collection.create(tmp_path / "c", config) as collection:
        for i in range(300):
            collection.add([Document(f"d{i}", f"common n{i}")])
    with Collection.open(tmp_path / "c") as collection:
        info = collection.info()
        assert 1 <= len(info["segments"]) <= 3
        assert info["delta"]["passages"] < 60
        assert info["documents"] == 300
        assert collection.search("common", limit=1000).total == 300
        assert collection.verify() == []


def test_a_different_encoder_is_refused(tmp_path):
    with Collection.create(tmp_path / "c", CollectionConfig(legs=LEGS)) as collection:
        collection.add(BIRDS)

    def other(config):
        if isinstance(config, DenseEncoderConfig):
            config = config.model_copy(update={"query_prompt": "query: "})
        return load_encoder(config)

    with (
        Collection.open(tmp_path / "c", encoders=other) as collection,
        pytest.raises(EncoderMismatchError, match=r"'dense'.*query_prompt was '' and is 'query: '"),
    ):
        collection.search("fly")


def test_read_only_refuses_writes(tmp_path, collection):
    with Collection.open(collection.path, read_only=True) as reader:
        assert reader.count() == 4
        for change in (
            lambda: reader.add(BIRDS),
            lambda: reader.delete(["emu"]),
            lambda: reader.delete_where({}),
            reader.seal,
            reader.merge,
        ):
            with pytest.raises(ConflictError, match="read-only"):
                change()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"legs": [{"name": "colbert"}]}, "legs[0].name"),
        ({"legs": [{"name": "dense", "weight": 0}]}, "legs"),
        ({"legs": [{"name": "dense"}, {"name": "dense"}]}, None),
        ({"fusion": {"method": "sum"}}, "fusion.method"),
        ({"limit": 0}, "limit"),
        ({"offset": 995, "limit": 10}, None),
        ({"filter": {"year": {"above": 3}}}, "filter.year"),
        ({"vectors": {"lexical": [1.0]}}, "vectors.lexical"),
        ({"vectors": {"dense": [1.0, 2.0]}}, "vectors.dense"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_wrong_requests_name_the_field(collection, fields, field):
    with pytest.raises(InvalidInputError) as caught:
        collection.search("fly", **fields)
    if field is not None:
        assert caught.value.field == field


def test_wrong_documents_name_the_field_and_write_nothing(collection):
    with pytest.raises(InvalidInputError) as caught:
        collection.add([{"id": "good", "text": "fine"}, {"id": "bad", "text": 3}])
    assert caught.value.field == "documents[1].text"
    assert collection.count() == 4


def test_an_empty_collection_returns_no_hits(tmp_path):
    with Collection.create(tmp_path / "c", CollectionConfig(legs=LEGS)) as collection:
        result = collection.search("anything")
        assert (result.hits, result.total, result.relation) == ([], 0, "eq")
        assert collection.seal() is False
        assert collection.merge() is False
        assert collection.verify() == []


def test_texts_without_words_are_stored_and_searchable(tmp_path):
    with Collection.create(tmp_path / "c", CollectionConfig(legs=LEGS)) as collection:
        collection.add([Document("empty", ""), Document("dots", "..."), Document("a", "word")])
        assert collection.search("word").hits[0].id == "a"
        assert collection.search("").hits == [] or np.isfinite(collection.search("").hits[0].score)


def test_create_refuses_an_existing_and_open_a_missing_collection(tmp_path, collection):
    with pytest.raises(ConflictError, match="already contains a collection"):
        Collection.create(collection.path)
    with pytest.raises(NotFoundError, match="no such folder"):
        Collection.open(tmp_path / "nothing")
    with pytest.raises(ConfigError, match="language"):
        Collection.create(
            tmp_path / "x",
            CollectionConfig(legs={"lexical": LexicalLeg(encoder=AnalyzerConfig(language="xx"))}),
        ).add(BIRDS)


def test_the_configuration_of_a_later_version_is_refused_in_one_line(tmp_path):
    path = tmp_path / "c"
    Collection.create(path, CollectionConfig(legs=LEGS)).close()
    with Collection.open(path) as collection, collection.store.database.write() as connection:
        config = get_meta(connection, "config")
        set_meta(connection, "config", config.replace("language", "later"))
    with pytest.raises(StorageError, match=r"lexical.*later: .* later release") as caught:
        Collection.open(path)
    assert "\n" not in str(caught.value)
