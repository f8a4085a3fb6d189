"""A local collection and the clients have equal methods with equal results."""

from __future__ import annotations

import inspect

import pytest

import twindex
from twindex.client import AsyncRemoteCollection, RemoteCollection
from twindex.core import NoProgress, Reconfigured
from twindex.core.results import Facet, FederatedResult
from twindex.index import VectorStorage
from twindex.search import federated_search

from .conftest import CONFIG, Local


class Counting(NoProgress):
    """Counts the finished units of an operation."""

    done = 0

    def advance(self, n: int = 1) -> None:
        self.done += n


def test_add_reports_what_was_written(door, named):
    collection = door.create(named, CONFIG)
    report = collection.add([{"id": "a", "text": "one"}, {"id": "b", "text": "two"}])
    assert (report.documents, report.replaced, report.unchanged, report.passages) == (2, 0, 0, 2)
    report = collection.add([{"id": "a", "text": "one"}, {"id": "b", "text": "three"}])
    assert (report.documents, report.replaced, report.unchanged, report.passages) == (1, 1, 1, 1)
    twice = [{"id": "c", "text": "old"}, {"id": "c", "text": "new"}]
    report = collection.add(twice)
    assert (report.documents, report.replaced, report.unchanged, report.passages) == (1, 0, 0, 1)
    assert collection.add([]) == twindex.WriteReport()
    collection.close()


def test_hit_has_all_fields(birds):
    result = birds.search("flightless kiwi", limit=2)
    first = result.hits[0]
    assert (first.id, first.title, first.text) == ("kiwi", "", "The kiwi cannot fly.")
    assert (first.metadata, first.passage_text) == ({"year": 1813}, "The kiwi cannot fly.")
    assert first.legs["lexical"].rank == 1
    assert first.legs["lexical"].score > 0
    assert len(result) == len(list(result)) == 2
    assert (result.total, result.relation) == (3, "eq")
    assert result.timings["encode"] >= 0


def test_a_text_is_completed(birds):
    found = birds.complete("the ki", titles=0)
    (word,) = found.words
    assert (word.text, word.word, word.documents, word.typos) == ("the kiwi", "kiwi", 1, 0)
    assert found.titles == []
    assert birds.complete({"text": "kuw", "typos": 1}).words[0].word == "kiwi"
    with pytest.raises(twindex.InvalidInputError, match="limit"):
        birds.complete("ki", limit=1_000)


def test_order_facets_groups_and_boosts(birds):
    result = birds.search("bird", sort=["-year"], facets=["year"], group={"field": "year"})
    years = [hit.metadata.get("year") for hit in result]
    assert years == sorted(years, key=lambda year: -(year or 0))
    (facet,) = result.facets
    assert isinstance(facet, Facet)
    assert facet.missing + sum(one.count for one in facet.counts) == result.total
    assert [group.value for group in result.groups] == list(dict.fromkeys(years))
    assert result.group_total == len(result.groups)
    boosts = [{"kind": "number", "field": "year", "pivot": 1000, "weight": 2}]
    for hit in birds.search("bird", boosts=boosts, explain=True):
        year = hit.metadata.get("year", 0)
        assert hit.boosts[0].value == pytest.approx(year / (year + 1000))
        assert hit.boosts[0].weight == 2


def test_highlights(birds):
    (first, *_) = birds.search("kiwi flies", highlight={"pre": "<b>", "post": "</b>"})
    (one,) = first.highlights
    assert (one.field, one.text, one.start) == ("text", "The kiwi cannot fly.", 0)
    assert list(one.spans) == [(4, 8), (16, 19)]
    assert one.marked == "The <b>kiwi</b> cannot <b>fly</b>."
    assert birds.search("kiwi").hits[0].highlights is None


def test_a_search_over_several_collections(door, birds, named):
    other = door.create(f"{named}-other", CONFIG)
    other.add([{"id": "rhea", "text": "The rhea cannot fly.", "metadata": {"year": 1758}}])
    names, fields = [named, f"{named}-other"], {"facets": ["year"], "explain": True, "limit": 3}
    if isinstance(door, Local):
        found = federated_search(dict(zip(names, (birds, other), strict=True)), "fly", **fields)
    else:
        found = door.federated_search(names, "fly", **fields)
    own = birds.search("fly", explain=True)
    assert isinstance(found, FederatedResult)
    assert [(one.collection, one.rank) for one in found] == [
        (named, 1),
        (f"{named}-other", 1),
        (named, 2),
    ]
    assert (found[0].hit, found[0].score) == (own[0], 1 / 61)
    assert [(one.name, one.total) for one in found.collections] == [
        (named, own.total),
        (f"{named}-other", 1),
    ]
    assert found.total == own.total + 1
    (facet,) = found.facets
    assert (facet.minimum, facet.missing) == (1758, 1)
    other.close()


def test_the_language_of_a_query(door, named):
    encoder = {"kind": "analyzer", "language": "de,en"}
    config = {"legs": {"lexical": {"kind": "lexical", "encoder": encoder}}}
    collection = door.create(named, config)
    collection.add([{"id": "de", "text": "Die Häuser der alten Stadt stehen am Fluss."}])
    collection.add([{"id": "en", "text": "The houses of the old city stand by the river."}])
    found = collection.search("Haus", language="de", explain=True)
    assert [hit.id for hit in found] == ["de"]
    assert found.query_languages == {"lexical": ("de",)}
    assert collection.search("Haus").query_languages is None
    with pytest.raises(twindex.InvalidInputError, match="must be one of de, en"):
        collection.search("Haus", language="fr")
    collection.close()


def test_stages_predictors_and_readings_of_a_query(birds):
    found = birds.search(
        "kiwwi fly year:>1800",
        legs=["lexical"],
        feedback={"lexical": {"method": "rm3", "terms": 3}},
        predictors=True,
        suggest=True,
        parse_filters=True,
    )
    assert [hit.id for hit in found] == ["kiwi"]
    assert (found.query, found.filter) == ("kiwwi fly", {"year": {"gt": 1800}})
    assert found.suggestion == "kiwi fly year:>1800"
    assert found.predictors["unknown_terms"] == 0.5
    (stage,) = found.stages
    assert (stage.name, stage.status, stage.usage) == ("feedback", "ran", None)
    assert list(stage.documents) == ["kiwi"]
    assert stage.terms["lexical"].top[0].weight > 0
    plain = birds.search("kiwi fly")
    assert (plain.query, plain.filter, plain.suggestion, plain.predictors) == (None,) * 4
    assert tuple(plain.stages) == ()


def test_search_accepts_a_request_or_fields(birds):
    request = twindex.SearchRequest(
        query="fly", legs=({"name": "lexical", "weight": 2},), limit=1, include=("title",)
    )
    by_request = birds.search(request)
    by_fields = birds.search(
        "fly", legs=[{"name": "lexical", "weight": 2}], limit=1, include=["title"]
    )
    assert by_request.hits == by_fields.hits
    assert by_request.hits[0].legs.keys() == {"lexical"}


def test_search_accepts_a_mapping(birds):
    given = {"query": "fly", "limit": 1}
    assert birds.search(given).hits == birds.search("fly", limit=1).hits
    (result,) = birds.search_batch([given])
    assert len(result) == 1
    with pytest.raises(twindex.InvalidInputError):
        birds.search({})


def test_a_leg_may_be_given_by_name(birds):
    by_name = birds.search("kiwi", legs=["lexical"])
    assert by_name.hits == birds.search("kiwi", legs=[{"name": "lexical"}]).hits
    assert set(by_name.hits[0].legs) == {"lexical"}
    with pytest.raises(twindex.TwindexError, match=r"legs\[0\]"):
        birds.search("kiwi", legs=["lexicall"])


def test_answers_are_equal(birds):
    answer = birds.answer("Which bird sleeps while it flies?")
    assert (answer.outcome, answer.finish, answer.generator) == ("answered", "stop", "extractive")
    (citation,) = answer.citations
    assert (citation.quotes[0].id, citation.quotes[0].text) == (
        "swift",
        "Swifts fly while they sleep.",
    )
    assert citation.supported
    assert [source.number for source in answer.sources] == [1, 2, 3]
    events = list(birds.answer_stream(twindex.AnswerRequest(question="Which bird runs?")))
    names = [type(event).event for event in events]
    assert (names[0], names[-2:]) == ("sources", ["usage", "done"])
    whole = events[-1].answer
    assert "".join(event.text for event in events if type(event).event == "token") == whole.text
    assert tuple(e.citation for e in events if type(e).event == "citation") == whole.citations
    assert (events[0].sources, events[0].left_out) == (whole.sources, whole.left_out)
    nothing = birds.answer("Who?", search={"filter": {"year": 1066}}, citations={"markers": "keep"})
    assert (nothing.outcome, nothing.reason, nothing.citations) == ("no_answer", "no sources", ())


def test_errors_of_answers_have_equal_classes_and_fields(birds):
    for request, field in (
        ({"question": " "}, "question"),
        ({"question": "Who?", "generator": "quick"}, "generator"),
        ({"question": "Who?", "search": {"limit": 0}}, "search.limit"),
        ({"question": "Who?", "no_such_field": 1}, "no_such_field"),
    ):
        with pytest.raises(twindex.InvalidInputError) as wrong:
            birds.answer(request)
        assert wrong.value.field == field
        with pytest.raises(twindex.InvalidInputError):
            list(birds.answer_stream(request))
    with pytest.raises(twindex.InvalidInputError):
        birds.answer(twindex.AnswerRequest(question="Who?"), max_tokens=3)


def test_documents_may_span_pages(birds):
    birds.add({"id": f"{n:04}", "text": "x"} for n in range(1_500))
    assert len(birds.documents(limit=1_200)) == 1_200


def test_progress_counts_documents(birds):
    progress = Counting()
    birds.add([{"id": str(n), "text": "x"} for n in range(70)], progress=progress)
    assert progress.done == 70
    for wrong in (print, lambda done: None, 7):
        with pytest.raises(twindex.InvalidInputError, match=r"the methods of twindex.core.Prog"):
            birds.add([], progress=wrong)
        with pytest.raises(twindex.InvalidInputError, match=r"the methods of twindex.core.Prog"):
            birds.merge(progress=wrong)


def test_contributions_add_up_to_the_score(birds):
    (hit,) = birds.search("kiwi", explain=True, limit=1).hits
    assert hit.score == pytest.approx(sum(leg.contribution for leg in hit.legs.values()))
    assert [term.term for term in hit.explain["lexical"]] == ["kiwi"]


def test_search_batch_equals_single_searches(birds):
    requests = [twindex.SearchRequest(query=query) for query in ("kiwi", "emu", "sleep")]
    together = birds.search_batch(requests)
    texts = birds.search_batch(["kiwi", "emu", {"query": "sleep"}])
    assert [result.hits for result in texts] == [result.hits for result in together]
    assert [result.hits[0].id for result in together] == ["kiwi", "emu", "swift"]


def test_documents_are_returned_unchanged(birds):
    assert birds.get("emu") == twindex.Document(
        "emu", "The emu runs and cannot fly.", "Emu", {"year": 1790}
    )
    assert [one.id for one in birds.documents()] == ["emu", "kiwi", "swift"]
    assert [one.id for one in birds.documents(after="emu", limit=1)] == ["kiwi"]
    assert [one.id for one in birds.documents(filter={"year": {"gte": 1800}})] == ["kiwi"]
    assert [one.id for one in birds.scan()] == ["emu", "kiwi", "swift"]
    assert [one.id for one in birds.scan({"year": 1790})] == ["emu"]
    assert (birds.count(), birds.count({"year": {"lt": 1800}})) == (3, 1)


def test_delete_returns_what_existed(birds):
    assert birds.delete(["emu", "dodo", "emu"]) == ["emu"]
    assert birds.delete([]) == []
    count = birds.delete_where({"yeer": 1813})
    assert (count, len(count.warnings)) == (0, 1)
    assert birds.delete_where({"year": 1813}) == 1
    assert [one.id for one in birds.scan()] == ["swift"]


def test_open_create_and_open_or_create(door, named):
    with pytest.raises(twindex.NotFoundError):
        door.open(named)
    door.create(named, CONFIG).close()
    with pytest.raises(twindex.ConflictError):
        door.create(named, CONFIG)
    door.open(named).close()
    door.open_or_create(named, CONFIG).close()
    door.open_or_create(named).close()
    with pytest.raises(twindex.TwindexError):
        door.open_or_create(named, {"legs": {"lexical": {"kind": "lexical"}}})


def test_errors_have_equal_classes_and_fields(birds):
    with pytest.raises(twindex.NotFoundError):
        birds.get("dodo")
    with pytest.raises(twindex.InvalidInputError) as wrong:
        birds.search("fly", limit=0)
    assert wrong.value.field == "limit"
    with pytest.raises(twindex.InvalidInputError) as wrong:
        birds.search("fly", legs=[{"name": "sparse"}])
    assert wrong.value.field == "legs[0].name"
    with pytest.raises(twindex.InvalidInputError) as wrong:
        birds.search("fly", no_such_field=1)
    assert wrong.value.field == "no_such_field"
    with pytest.raises(twindex.InvalidInputError) as wrong:
        birds.count({"year": {"gt": []}})
    assert "filter" in wrong.value.field
    with pytest.raises(twindex.InvalidInputError):
        birds.search(twindex.SearchRequest(query="fly"), limit=3)


def test_invalid_document_is_named(birds):
    documents = [{"id": "a", "text": "fine"}, {"id": "b", "text": 7}, {"id": "c", "text": "fine"}]
    with pytest.raises(twindex.InvalidInputError) as wrong:
        birds.add(documents)
    assert wrong.value.field == "documents[1].text"
    assert str(wrong.value) == "documents[1].text: must be a string, not an integer"
    for bad in ("no document", {"id": "a", "text": "", "metadata": {"x": float("nan")}}):
        with pytest.raises(twindex.InvalidInputError) as wrong:
            birds.add([*({"id": str(i), "text": ""} for i in range(600)), bad])
        assert wrong.value.field.startswith("documents[600]")
    # Earlier batches are written. Of the batch with the error, nothing is written.
    assert {one.id for one in birds.scan()} >= {"kiwi", "emu", "swift"}
    assert birds.count({"id": {"in": ["a", "b", "c"]}}) == 0


def test_an_error_says_how_many_were_written(birds):
    def documents():
        yield from ({"id": f"d{number}", "text": f"bird {number}"} for number in range(300))
        yield {"id": "wrong", "text": 7}

    with pytest.raises(twindex.InvalidInputError, match=r"documents\[300\].text: ") as caught:
        birds.add(documents())
    written = birds.count() - 3
    assert 0 < written < 300
    assert caught.value.written == written
    assert str(caught.value).endswith(f"; {written} documents were written before the error")
    with pytest.raises(twindex.InvalidInputError) as caught:
        birds.add([{"id": "wrong", "text": 7}])
    assert caught.value.written == 0
    assert "written" not in str(caught.value)


def test_metadata_that_json_would_change_is_refused(birds):
    for value in ({7: "x"}, [{"inner": {7: "x"}}], 1 << 63, [-(1 << 63) - 1]):
        with pytest.raises(twindex.InvalidInputError) as wrong:
            birds.add([{"id": "a", "text": "t", "metadata": {"field": value}}])
        assert wrong.value.field.startswith("documents[0]")
    assert birds.count() == 3


@pytest.mark.parametrize(
    "door", ["local", "blocking", pytest.param("asyncio", marks=pytest.mark.slow)], indirect=True
)
def test_document_larger_than_a_batch_is_written(birds):
    text = "w" * 9_000_000
    report = birds.add([{"id": "long", "text": text}])
    assert (report.documents, report.unchanged) == (1, 0)
    assert birds.get("long").text == text
    with pytest.raises(twindex.InvalidInputError) as wrong:
        birds.add([{"id": "long", "text": text, "metadata": 7}])
    assert wrong.value.field == "documents[0].metadata"


def test_merge_and_reconfigure(birds):
    birds.delete(["emu"])
    assert birds.merge(progress=Counting()) is True
    int8 = {"dense": VectorStorage.parse({"codec": {"kind": "int8"}})}
    assert birds.reconfigure(int8, progress=Counting()) == Reconfigured(changed=True)
    assert birds.reconfigure(int8) == Reconfigured(changed=False)
    assert birds.info()["config"]["legs"]["dense"]["codec"]["kind"] == "int8"
    assert birds.info()["documents"] == 2


def test_clients_have_methods_of_the_collection():
    def public(kind: type) -> set[str]:
        return {name for name, _ in inspect.getmembers(kind, callable) if not name.startswith("_")}

    assert public(RemoteCollection) == public(AsyncRemoteCollection)
    assert public(RemoteCollection) <= public(twindex.Collection)
    for name in public(RemoteCollection):
        ours = inspect.signature(getattr(RemoteCollection, name)).parameters
        theirs = inspect.signature(getattr(twindex.Collection, name)).parameters
        async_ = inspect.signature(getattr(AsyncRemoteCollection, name)).parameters
        assert list(ours) == list(async_)
        assert [*ours] == [one for one in theirs if one in ours], name
