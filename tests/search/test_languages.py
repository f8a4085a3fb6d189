"""Searches of a lexical leg that detects the language of each document."""

from __future__ import annotations

from collections import Counter
from math import log

import pytest

from twindex.core import Document, EncoderMismatchError, InvalidInputError
from twindex.encoders import AnalyzerConfig, DenseEncoderConfig, LexicalEncoder, PassageConfig
from twindex.encoders.lexical import multilingual
from twindex.index import CollectionConfig, DenseLeg, LexicalLeg
from twindex.search import Collection, build

LEG = LexicalLeg(encoder=AnalyzerConfig(language="auto"))
CONFIG = CollectionConfig(legs={"lexical": LEG})
DOCUMENTS = [
    Document("de", "Die Häuser der alten Stadt sind sehr schön und stehen am Fluss."),
    Document("en", "The houses of the old city are beautiful and stand by the river."),
    Document("fr", "Les maisons de la vieille ville sont très belles, près de la rivière."),
    Document("ja", "東京都の図書館で本を読むのが好きです。"),
    Document("th", "บ้านในเมืองเก่าถูกสร้างขึ้นริมแม่น้ำเมื่อนานมาแล้ว"),
    Document("uk", "Будинки старого міста були побудовані біля річки."),
]


@pytest.fixture
def collection(tmp_path):
    with Collection.create(tmp_path / "c", CONFIG) as collection:
        collection.add(DOCUMENTS)
        yield collection


def ids(collection: Collection, query: str, **fields) -> list[str]:
    return [hit.id for hit in collection.search(query, **fields)]


def spoken(collection: Collection, query: str, **fields) -> tuple[str, ...]:
    return collection.search(query, explain=True, **fields).query_languages["lexical"]


def counts(collection: Collection) -> dict[str, int]:
    return collection.info()["legs"]["lexical"]["languages"]


def test_each_document_is_found_by_other_forms_of_its_words(collection):
    assert ids(collection, "Haus") == ["de"]
    assert ids(collection, "house") == ["en"]
    assert ids(collection, "maison") == ["fr"]
    assert ids(collection, "図書館") == ["ja"]
    assert ids(collection, "เมือง") == ["th"]
    assert ids(collection, "міста") == ["uk"]


def test_the_explanation_has_the_languages_and_terms_of_the_query(collection):
    assert collection.search("Haus").query_languages is None
    result = collection.search("Wie schön sind die alten Häuser?", explain=True)
    assert result.query_languages == {"lexical": ("de", "none")}
    assert {one.term for one in result.hits[0].explain["lexical"]} == {"schon", "alt", "haus"}
    assert spoken(collection, "zzz") == ("de", "en", "fr", "ja", "th", "none")


def test_the_language_of_a_query_may_be_given(collection):
    assert spoken(collection, "houses", language="en") == ("en", "none")
    assert ids(collection, "Häuser", language="en") == []
    assert ids(collection, "Häuser", language="de-CH") == ["de"]


def test_names_match_across_languages(collection):
    collection.add([Document("ada", "Ada Lovelace était une mathématicienne britannique célèbre.")])
    query = "Where in the world was the famous Ada Lovelace born, and when?"
    assert spoken(collection, query) == ("en", "none")
    assert ids(collection, query) == ["ada"]


def test_passages_are_counted_by_language(collection):
    every = {"de": 1, "en": 1, "fr": 1, "ja": 1, "none": 1, "th": 1}
    assert counts(collection) == every
    collection.add([Document("de2", DOCUMENTS[0].text), Document("en", DOCUMENTS[0].text)])
    assert list(counts(collection)) == ["de", "fr", "ja", "none", "th"]
    assert counts(collection)["de"] == 3
    collection.delete(["ja", "de"])
    expected = {"de": 2, "fr": 1, "none": 1, "th": 1}
    assert counts(collection) == expected
    collection.seal()
    assert counts(collection) == expected
    collection.delete(["th"])
    collection.merge()
    del expected["th"]
    assert counts(collection) == expected
    with Collection.open(collection.path, read_only=True) as again:
        assert counts(again) == expected
        assert ids(again, "Haus") == ["de2", "en"]


def test_a_new_language_is_used_by_the_next_search(collection):
    query = "casa"
    assert "es" not in spoken(collection, query)
    collection.add(
        [Document("es", "Las casas de la ciudad vieja fueron construidas junto al río.")]
    )
    assert "es" in spoken(collection, query)
    assert ids(collection, query) == ["es"]


def test_the_metadata_name_the_language_of_a_document(collection):
    collection.add(
        [
            Document("short", "Häuser", metadata={"language": "de"}),
            Document("code", "The houses of the function", metadata={"language": "python"}),
        ]
    )
    assert counts(collection)["de"] == 2
    assert counts(collection)["en"] == 2
    assert collection.get("short").metadata == {"language": "de"}
    assert "short" in ids(collection, "Haus")
    collection.add([Document("short", "Häuser", metadata={"language": "en"})])
    assert counts(collection)["en"] == 3
    assert "short" not in ids(collection, "Haus", language="de")


def test_all_passages_of_a_document_have_its_language(tmp_path):
    passages = PassageConfig(unit="words", size=5, overlap=0, threshold=5)
    text = DOCUMENTS[0].text + " Oh happy day, the houses are here now."
    with Collection.create(
        tmp_path / "p", CollectionConfig(legs={"lexical": LEG}, passages=passages)
    ) as collection:
        report = collection.add([Document("long", text)])
        assert report.passages > 2
        assert counts(collection) == {"de": report.passages}


TITLED = [
    Document("both", DOCUMENTS[0].text, "Running houses", {"title_language": "en"}),
    Document("named", "Häuser", "The studies", {"language": "de", "title_language": "en-GB"}),
    Document("plain", DOCUMENTS[0].text, "Running houses", {"language": "de"}),
    Document("title", "", "Running houses", {"title_language": "en"}),
    Document("french", DOCUMENTS[1].text, "Les maisons", {"title_language": "fr", "year": 3}),
]
PARTS = {
    "both": [("en", "Running houses"), ("de", DOCUMENTS[0].text)],
    "named": [("en", "The studies"), ("de", "Häuser")],
    "plain": [("de", f"Running houses {DOCUMENTS[0].text}")],
    "title": [("en", "Running houses")],
    "french": [("fr", "Les maisons"), ("en", DOCUMENTS[1].text)],
}


def expected_scores(query: str, codes: tuple[str, ...]) -> dict[str, float]:
    """BM25 of the documents `TITLED` from the analyses of their parts, with a term per language."""

    def terms(code: str, text: str) -> Counter[str]:
        return Counter(LexicalEncoder(AnalyzerConfig(language=code)).count(text))

    rows = {
        name: sum((terms(*part) + Counter({f"language:{part[0]}": 1}) for part in parts), Counter())
        for name, parts in PARTS.items()
    }
    average = sum(row.total() for row in rows.values()) / len(rows)
    scores: dict[str, float] = Counter()
    for term in {term for code in codes for term in terms(code, query)}:
        frequency = sum(term in row for row in rows.values())
        idf = log(1 + (len(rows) - frequency + 0.5) / (frequency + 0.5))
        for name, row in rows.items():
            norm = LEG.k1 * (1 - LEG.b + LEG.b * row.total() / average)
            scores[name] += idf * row[term] / (row[term] + norm)
    return {name: score for name, score in scores.items() if score}


@pytest.mark.parametrize("language", ["de", "en", "fr"])
@pytest.mark.parametrize("query", ["house", "Haus", "maison", "study run", "Stadt der Häuser"])
def test_scores_equal_bm25_over_the_parts_of_documents(tmp_path, query, language):
    with Collection.create(tmp_path / "c", CONFIG) as collection:
        collection.add(TITLED)
        found = {hit.id: hit.score for hit in collection.search(query, language=language)}
    assert found == pytest.approx(expected_scores(query, (language,)), abs=1e-5)


def test_a_title_of_another_language_is_found_in_both(tmp_path):
    with Collection.create(tmp_path / "c", CONFIG) as collection:
        collection.add(TITLED)
        assert counts(collection) == {"en": 4, "de": 3, "fr": 1}
        assert collection.languages == {"lexical": counts(collection)}
        assert collection.count() == 5
        assert spoken(collection, "zzz") == ("de", "en", "fr")
        assert set(ids(collection, "How does one run a house in an old city?")) >= {"both", "title"}
        assert "plain" not in ids(collection, "the run", language="en")
        assert ids(collection, "Haus", filter={"title_language": "en-GB"}) == ["named"]
        assert ids(collection, "maison", filter={"year": {"gt": 2}}) == ["french"]
        assert collection.get("named").metadata == TITLED[1].metadata
        (hit,) = collection.search("maison house", explain=True, filter={"year": 3}).hits
        contributions = {one.term: one.score for one in hit.explain["lexical"]}
        assert set(contributions) == {"maison", "hous"}
        assert sum(contributions.values()) == pytest.approx(hit.score)
        collection.add([Document("both", DOCUMENTS[0].text, "Running houses")])
        assert counts(collection) == {"de": 3, "en": 3, "fr": 1}
        collection.delete(["french"])
        collection.seal()
        collection.merge()
        assert counts(collection) == {"de": 3, "en": 2}


@pytest.mark.parametrize("headings", [False, True])
def test_every_passage_of_a_titled_document_has_both_languages(tmp_path, headings):
    passages = PassageConfig(unit="words", size=5, overlap=0, threshold=5, headings=headings)
    text = f"# Die Stadt\n\n{DOCUMENTS[0].text}\n\n## Das Haus\n\n{DOCUMENTS[0].text}"
    with Collection.create(
        tmp_path / "p", CollectionConfig(legs={"lexical": LEG}, passages=passages)
    ) as collection:
        report = collection.add([Document("1", text, "Running houses", {"title_language": "en"})])
        assert report.passages > 4
        assert counts(collection) == {"de": report.passages, "en": report.passages}
        assert ids(collection, "run", language="en") == ["1"]


def test_a_build_of_titled_documents_equals_single_writes(tmp_path):
    build(tmp_path / "built", TITLED, CONFIG)
    with (
        Collection.open(tmp_path / "built") as built,
        Collection.create(tmp_path / "c", CONFIG) as collection,
    ):
        collection.add(TITLED)
        assert counts(built) == counts(collection)
        for query in ("Haus", "the running houses", "maison"):
            assert built.search(query).hits == collection.search(query).hits


def test_languages_are_counted_with_another_detector(collection, monkeypatch):
    expected = counts(collection)
    collection.close()
    monkeypatch.setattr(multilingual, "detector", lambda: "py3langid 99")
    with Collection.open(collection.path) as again:
        with pytest.raises(EncoderMismatchError):
            again.search("Haus")
        assert counts(again) == expected


def test_a_build_equals_single_writes(collection, tmp_path):
    build(tmp_path / "built", DOCUMENTS, CONFIG)
    with Collection.open(tmp_path / "built") as built:
        assert counts(built) == counts(collection)
        for query in ("Haus", "the old house", "la maison", "図書館"):
            hits = built.search(query).hits
            assert hits
            assert [(h.id, h.score) for h in hits] == [
                (h.id, h.score) for h in collection.search(query).hits
            ]


def test_a_batch_equals_single_searches(collection):
    requests = [
        {"query": "Haus"},
        {"query": "Haus", "language": "en"},
        {"query": "Häuser", "language": "de"},
        {"query": "Häuser", "language": "en"},
        {"query": "the old houses"},
    ]
    requests = [{**one, "explain": True} for one in requests]
    for request, result in zip(requests, collection.search_batch(requests), strict=True):
        alone = collection.search(request)
        assert result.hits == alone.hits
        assert result.query_languages == alone.query_languages


def test_a_language_that_no_leg_uses_is_refused(collection, tmp_path):
    legs = {"dense": DenseLeg(encoder=DenseEncoderConfig(model="fake")), "lexical": LEG}
    with pytest.raises(InvalidInputError, match=r"must be one of .*de.*got 'xx'") as error:
        collection.search("Haus", language="xx")
    assert error.value.field == "language"
    with Collection.create(tmp_path / "d", CollectionConfig(legs=legs)) as both:
        both.add(DOCUMENTS)
        assert ids(both, "Haus", language="de")[0] == "de"
        with pytest.raises(
            InvalidInputError, match="a lexical leg that detects languages"
        ) as error:
            both.search("Haus", language="de", legs=["dense"])
        assert error.value.field == "language"
    english = CollectionConfig(legs={"lexical": LexicalLeg()})
    with Collection.create(tmp_path / "e", english) as plain:
        plain.add(DOCUMENTS)
        with pytest.raises(InvalidInputError, match="build the collection with a lexical leg"):
            plain.search("Haus", language="de")
        assert "languages" not in plain.info()["legs"]["lexical"]
        assert plain.search("Haus", explain=True).query_languages == {}


def test_another_version_of_the_detector_is_refused(collection, monkeypatch):
    collection.close()
    monkeypatch.setattr(multilingual, "detector", lambda: "py3langid 99")
    with (
        Collection.open(collection.path) as again,
        pytest.raises(EncoderMismatchError, match=r"detector was 'py3langid .*99"),
    ):
        again.search("Haus")


def test_a_leg_of_other_kind_has_no_frequencies(tmp_path):
    legs = {"dense": DenseLeg(encoder=DenseEncoderConfig(model="fake"))}
    with Collection.create(tmp_path / "d", CollectionConfig(legs=legs)) as collection:
        collection.add(DOCUMENTS)
        with (
            collection.store.view() as view,
            pytest.raises(InvalidInputError, match="leg 'dense' has no terms"),
        ):
            view.frequencies("dense", ["a"])
