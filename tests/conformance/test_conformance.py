"""Every store keeps the promises of the `Store` and `View` protocols."""

from __future__ import annotations

import numpy as np
import pytest

from twindex.core import (
    ConflictError,
    Document,
    InvalidInputError,
    NotFoundError,
    Passage,
    Representation,
    UnsupportedByStoreError,
)
from twindex.index import CAPABILITIES, OutdatedError
from twindex.search import Collection, LegRequest, RerankRequest, SearchRequest
from twindex.search.writing.ingest import encode

from .stores import CONFIG, LEGS, RERANKER, STORES, made

BIRDS = [
    Document("kiwi", "a bird that cannot fly", metadata={"year": 1813, "tags": ["flightless"]}),
    Document("emu", "a tall bird that runs", "Emu", {"year": 1790, "tags": ["tall", "flightless"]}),
    Document("owl", "a bird of the night", metadata={"year": 1758, "place": {"name": "forest"}}),
    Document(
        "bat", "no bird at all but it can fly", metadata={"year": "1758", "day": "2024-05-01"}
    ),
    Document("ant", "an insect", metadata={"year": True, "day": "2024-05-01T01:00:00+02:00"}),
]


@pytest.fixture(params=sorted(STORES))
def collection(request, tmp_path):
    with made(request.param, tmp_path) as collection:
        yield collection


@pytest.fixture
def birds(collection):
    collection.add(BIRDS)
    return collection


def hits(collection: Collection, query: str, leg: str | None = None, **fields) -> dict[str, float]:
    """Return id -> score, best first."""
    legs = (LegRequest(name=leg),) if leg else ()
    found = collection.search(SearchRequest(query=query, legs=legs, **fields)).hits
    return {hit.id: hit.score for hit in found}


def generation(collection: Collection) -> int:
    with collection.store.view() as view:
        return view.generation


def test_an_empty_store_finds_nothing(collection):
    for leg in (None, *LEGS):
        assert hits(collection, "bird", leg) == {}
    assert (collection.count(), collection.documents(), collection.fields()) == (0, [], {})
    assert collection.delete(["kiwi"]) == []
    assert collection.delete_where({"year": 1}) == 0
    assert collection.info()["documents"] == 0
    with pytest.raises(NotFoundError):
        collection.get("kiwi")


def test_written_documents_are_found(birds):
    assert set(hits(birds, "bird", "lexical")) == {"kiwi", "emu", "owl", "bat"}
    assert set(hits(birds, "bird", "dense")) == {one.id for one in BIRDS}
    assert [one.id for one in birds.documents()] == ["ant", "bat", "emu", "kiwi", "owl"]
    assert [one.id for one in birds.documents(after="bat", limit=2)] == ["emu", "kiwi"]
    assert birds.get("emu") == BIRDS[1]
    assert birds.info()["documents"] == birds.info()["passages"] - 1 == 5
    hit = birds.search("emu").hits[0]
    assert (hit.id, hit.document) == ("emu", BIRDS[1])
    assert birds.search("emu", include=[]).hits[0].document is None
    assert birds.fields()["year"] == {0, 1, 2}


def test_a_page_is_cut_at_its_bytes(birds):
    assert [one.id for one in birds.documents(most_bytes=1)] == ["ant"]
    size = sum(len(one.text) for one in BIRDS[-2:])
    assert len(birds.documents(most_bytes=size)) < 2
    assert len(birds.documents(most_bytes=10**6)) == 5


def test_a_document_is_replaced_by_its_id(birds):
    report = birds.add([Document("kiwi", "an insect"), Document("new", "an insect"), BIRDS[1]])
    assert (report.documents, report.replaced, report.unchanged) == (2, 1, 1)
    assert set(hits(birds, "insect", "lexical")) == {"kiwi", "new", "ant"}
    assert "kiwi" not in hits(birds, "bird", "lexical")
    assert birds.get("kiwi").text == "an insect"
    assert birds.count() == 6
    report = birds.add([Document("new", "one"), Document("new", "two")])
    assert (report.documents, birds.get("new").text, birds.count()) == (1, "two", 6)


def test_write_is_refused_if_an_unchanged_document_was_deleted(birds):
    store = birds.store
    known = store.unchanged(BIRDS[:2])
    assert set(known) == {"kiwi", "emu"}
    assert store.unchanged([Document("kiwi", BIRDS[0].text)]) == {}
    store.delete(["emu"])
    encoded = encode([Document("new", "an insect")], CONFIG, birds._encoders)
    before = generation(birds)
    with pytest.raises(OutdatedError):
        store.write(encoded.documents, encoded.legs, unchanged=known)
    assert (generation(birds), birds.count()) == (before, 4)


def test_frequencies_count_the_passages_of_stored_documents(birds):
    with birds.store.view() as view:
        assert view.frequencies("lexical", ["bird", "emu", "unknown"]) == {
            "bird": 4,
            "emu": 1,
            "unknown": 0,
        }
    birds.delete(["owl", "emu"])
    with birds.store.view() as view:
        assert view.frequencies("lexical", ["bird", "emu"]) == {"bird": 2, "emu": 0}


def test_statistics_count_passages_and_occurrences(birds):
    birds.add([Document("owls", "owl owl bird")])
    with birds.store.view() as view:
        found = view.statistics("lexical", ["bird", "owl", "unknown"])
        assert found.documents == {"bird": 5, "owl": 1, "unknown": 0}
        assert found.occurrences == {"bird": 5, "owl": 2, "unknown": 0}
        before = found.passages, found.total_length
    birds.delete(["owls"])
    with birds.store.view() as view:
        found = view.statistics("lexical", ["bird", "owl"])
        assert found.occurrences == {"bird": 4, "owl": 0}
        assert (found.passages, found.total_length) == (before[0] - 1, before[1] - 3)


def test_delete_by_id(birds):
    assert birds.delete(["owl", "none", "kiwi", "owl"]) == ["owl", "kiwi"]
    assert set(hits(birds, "bird", "lexical")) == {"emu", "bat"}
    assert set(hits(birds, "bird", "dense")) == {"emu", "bat", "ant"}
    assert birds.count() == 3
    with pytest.raises(NotFoundError):
        birds.get("owl")


def test_delete_by_filter(birds):
    deleted = birds.delete_where({"year": {"lt": 1800}})
    assert (deleted, deleted.warnings) == (2, ())
    assert {one.id for one in birds.documents()} == {"kiwi", "bat", "ant"}
    deleted = birds.delete_where({"yaer": 1})
    assert deleted == 0
    assert "'yaer'" in deleted.warnings[0]
    for everything in ({}, {"or": []}, {"not": {"or": []}}, {"or": [{}, {"year": 1}]}):
        with pytest.raises(InvalidInputError):
            birds.delete_where(everything)
    assert birds.delete_where({"id": {"in": []}}) == 0
    for everything in ({"id": {"exists": True}}, {"id": {"prefix": ""}}):
        with pytest.raises(InvalidInputError):
            birds.delete_where(everything)
    assert birds.count() == 3


def test_generations_grow_with_every_change(collection):
    seen = [generation(collection)]
    for change in (
        lambda: collection.add(BIRDS),
        lambda: collection.add([Document("kiwi", "else")]),
        lambda: collection.delete(["owl"]),
        lambda: collection.delete_where({"year": 1790}),
    ):
        change()
        seen.append(generation(collection))
        assert collection.search("bird").generation == seen[-1]
    assert seen == sorted(set(seen))


def test_equal_scores_are_ordered_by_id(collection):
    ties = [Document(name, "one insect") for name in ["m", "c", "x", "a", "b"]]
    batch = encode([*ties, Document("z", "insect")], CONFIG, collection._encoders)
    # Products of small integers are exact, in any order of addition.
    whole = np.ones((6, 64), dtype=np.float32)
    whole[5, 0] = 0
    legs = {**batch.legs, "dense": Representation(dense=whole)}
    collection.store.write(batch.documents, legs)
    for leg in ("sparse", "lexical"):
        assert list(hits(collection, "one insect", leg)) == ["a", "b", "c", "m", "x", "z"], leg
    found = collection.search_batch([SearchRequest(vectors={"dense": [1.0] * 64})])[0].hits
    assert [hit.id for hit in found] == ["a", "b", "c", "m", "x", "z"]
    assert list(hits(collection, "one insect", "lexical", limit=3)) == ["a", "b", "c"]


def test_a_document_is_found_by_its_best_passage(collection):
    text = "ant ant ant ant ant bee bee cat bee bee dog dog dog dog dog"
    collection.add([Document("long", text), Document("short", "cat"), Document("whole", "fox")])
    for leg in ("lexical", "sparse"):
        hit = next(one for one in collection.search("bee", legs=(leg_of(leg),)).hits)
        assert hit.id == "long"
        assert hit.passage is not None
        assert text[hit.passage.start : hit.passage.end].count("bee") >= 3
    assert collection.search("cat", legs=(leg_of("lexical"),), limit=2).hits[0].id == "short"
    assert collection.search("fox", legs=(leg_of("dense"),)).hits[0].passage is None
    with collection.store.view() as view:
        (result,) = view.search("lexical", query(collection, "bee"), 10, view.select(None))
    assert isinstance(view.passages(result.passages)[0], Passage)


def test_scores_do_not_depend_on_the_filter(birds):
    birds.add([Document(f"n{i}", "bird bird fly") for i in range(20)])
    birds.delete([f"n{i}" for i in range(15)])
    for leg in LEGS:
        everything = hits(birds, "bird fly", leg, limit=100)
        some = hits(birds, "bird fly", leg, filter={"year": {"exists": True}})
        assert set(some) == set(everything) & {one.id for one in BIRDS}
        assert some == pytest.approx({name: everything[name] for name in some}, rel=1e-6)


def test_a_filter_on_an_unknown_field_warns(birds):
    found = birds.search("bird", filter={"yaer": 1})
    assert found.hits == []
    assert "'yaer'" in found.warnings[0]
    assert birds.search("bird", filter={"place": {"exists": True}, "id": "owl"}).warnings == ()


def test_a_search_returns_at_most_depth_documents(birds):
    with birds.store.view() as view:
        for leg in LEGS:
            (all_,) = view.search(leg, query(birds, "bird fly", leg), 100, view.select(None))
            assert all_.complete
            (two,) = view.search(leg, query(birds, "bird fly", leg), 2, view.select(None))
            assert not two.complete
            assert two.documents.tolist() == all_.documents[:2].tolist()
            assert two.scores.tolist() == all_.scores[:2].tolist()
            among = view.among(all_.documents[1:])
            (rest,) = view.search(leg, query(birds, "bird fly", leg), 100, among)
            assert rest.documents.tolist() == all_.documents[1:].tolist()


def test_unknown_legs_are_refused(birds):
    with pytest.raises(InvalidInputError, match="there is no leg 'late'"):
        birds.search("bird", legs=(leg_of("late"),))
    with birds.store.view() as view:
        bird = query(birds, "bird")
        (found,) = view.search("lexical", bird, 10, view.select(None))
        uses = [lambda: view.search("late", bird, 10, view.select(None))]
        if "explain" in birds.store.capabilities:
            uses += [lambda: list(view.explain("late", bird, found.passages))]
            uses += [lambda: list(view.terms("late", found.passages))]
        if "vectors" in birds.store.capabilities:
            uses += [lambda: view.vectors("late", found.passages), lambda: view.is_rounded("late")]
            uses += [lambda: list(view.leg_vectors("late", found.documents))]
        for use in uses:
            with pytest.raises(InvalidInputError, match=r"no leg 'late'.*lexical"):
                use()


def test_a_view_is_isolated_from_later_writes(birds):
    if "snapshots" not in birds.store.capabilities:
        pytest.skip("the store does not have this capability")
    with birds.store.view() as view:
        before = state(birds, view)
        birds.add([Document("kiwi", "bird bird bird"), Document("new", "bird")])
        birds.delete(["emu"])
        assert state(birds, view) == before
    with birds.store.view() as view:
        assert state(birds, view) != before


def state(collection, view):
    (found,) = view.search("lexical", query(collection, "bird"), 10, view.select(None))
    names = view.names(found.documents.tolist())
    ordered = [names[n] for n in found.documents.tolist()]
    return ordered, found.scores.tolist(), view.count(None), view.generation


def test_contributions_add_up_to_the_score(birds):
    if "explain" not in birds.store.capabilities:
        pytest.skip("the store does not have this capability")
    found = birds.search("bird that cannot fly bird", explain=True, limit=5)
    assert len(found.hits) == 5
    for hit in found.hits:
        for leg, why in hit.explain.items():
            assert sum(term.score for term in why) == pytest.approx(hit.legs[leg].score, rel=1e-4)
        assert set(hit.explain) == set(hit.legs) - {"dense"}
        assert set(hit.terms) == set(hit.legs) & {"sparse"}
    assert hits(birds, "bird") == hits(birds, "bird", explain=True)


def test_feedback_encodes_passages_that_the_store_does_not_return(birds, tmp_path):
    fields = {"query": "bird", "feedback": "rocchio", "limit": 5}
    found = birds.search(fields)
    (stage,) = found.stages
    dense, sparse = (
        "stored" if name in birds.store.capabilities else "new" for name in ("vectors", "explain")
    )
    assert stage.status == "ran"
    assert [note.split(": rocchio, ")[1].split(" ")[0] for note in stage.notes] == [
        dense,
        sparse,
        "terms",
    ]
    with made("reference", tmp_path / "other") as other:
        other.add(BIRDS)
        expected = other.search(fields)
    assert [(h.id, pytest.approx(h.score, rel=1e-4)) for h in found] == [
        (h.id, h.score) for h in expected
    ]


def refused(collection, capability, call, field=None):
    if capability in collection.store.capabilities:
        call()
    else:
        named = field or capability
        with pytest.raises(UnsupportedByStoreError, match=f"{named}: this store ") as caught:
            call()
        assert CAPABILITIES[capability] in str(caught.value)


def test_missing_capabilities_are_refused_by_name(birds):
    assert birds.store.capabilities <= set(CAPABILITIES)
    refused(birds, "explain", lambda: birds.search("bird", explain=True))
    rerank = RerankRequest(model=RERANKER)
    refused(birds, "vectors", lambda: birds.search("bird", rerank=rerank), "rerank.model")
    refused(birds, "maintenance", birds.seal)
    refused(birds, "maintenance", birds.merge)
    refused(birds, "maintenance", birds.verify)
    refused(birds, "maintenance", lambda: birds.reconfigure({}))
    new = [Document("new", "bird")]
    refused(birds, "transactions", lambda: birds.add(new, record=lambda *_: None))
    if "history" not in birds.store.capabilities:  # The local store has one if it is configured.
        refused(birds, "history", lambda: birds.history("kiwi"))
        refused(birds, "history", lambda: birds.get("kiwi", as_of=1), "as_of")
        refused(birds, "history", lambda: birds.search("bird", as_of=1), "as_of")
    refused(birds, "explain", lambda: birds.search_batch([SearchRequest(query="a", explain=True)]))


def test_a_read_only_collection_is_not_written(birds):
    birds.read_only = True
    for write in (
        lambda: birds.add([]),
        lambda: birds.delete(["kiwi"]),
        lambda: birds.delete_where({"year": 1}),
        birds.seal,
    ):
        with pytest.raises(ConflictError):
            write()


def test_stored_fingerprints_are_not_replaced(birds):
    stored = birds.store.fingerprints()
    assert set(stored) == set(LEGS)
    assert birds.store.bind({"dense": {"other": 1}}) == stored


def leg_of(name: str) -> LegRequest:
    return LegRequest(name=name)


def query(collection: Collection, text: str, leg: str = "lexical"):
    return collection._encoders[leg].encode([text], role="query")
