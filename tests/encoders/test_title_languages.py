"""Documents whose title has another language than their text."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.core import Document
from twindex.encoders import AnalyzerConfig, LexicalEncoder, MultilingualEncoder
from twindex.encoders.passages.preface import preface
from twindex.sources.structure import outline

AUTO = MultilingualEncoder(AnalyzerConfig(language="auto"))
GERMAN = "Die Häuser der alten Stadt wurden vor langer Zeit am Fluss gebaut."
WORDS = ["news", "Häuser", "houses", "die", "the", "l'avion", "3.14", "東京", "# Städte", "\n", "é"]


def languages(title: str, text: str, **metadata: object) -> tuple[str, ...]:
    return AUTO.document_languages(Document("1", text, title, metadata))


def encoded(text: str, own: tuple[str, ...], title: str) -> dict[str, int]:
    (row,) = AUTO.encode([text], role="document", languages=[own], titles=[title]).terms or ()
    return dict(row)


def terms(text: str, language: str) -> Counter[str]:
    return Counter(LexicalEncoder(AnalyzerConfig(language=language)).count(text))


def marks(*own: str) -> Counter[str]:
    return Counter(f"language:{code}" for code in own)


@pytest.mark.parametrize("value", ["en", "en-GB", "en_US", " EN "])
def test_the_metadata_name_the_language_of_a_title(value) -> None:
    assert languages("The houses", GERMAN, title_language=value) == ("de", "en")


@pytest.mark.parametrize("value", ["english", "none", "", 3, None, ["en"], "uk"])
def test_other_values_are_no_language(value) -> None:
    assert languages("The houses", GERMAN, title_language=value) == ("de",)
    two = MultilingualEncoder(AnalyzerConfig(language="de,en"))
    french = Document("1", GERMAN, "Les maisons", {"title_language": "fr"})
    assert two.document_languages(french) == ("de",)


def test_a_title_in_the_language_of_the_text_is_no_other_language() -> None:
    assert languages("Die Häuser", GERMAN, title_language="de") == ("de",)
    assert languages("x", GERMAN, title_language="fr", language="fr-CA") == ("fr",)


def test_a_document_without_title_or_text_has_one_language() -> None:
    assert languages(" ", GERMAN, title_language="en") == ("de",)
    assert languages("Häuser", "", title_language="de") == ("de",)
    assert languages("Häuser", " \n", title_language="de", language="en") == ("de",)


def test_a_title_of_another_language_does_not_decide_the_language_of_the_text() -> None:
    short, title = "Häuser am Fluss", "The long history of the old houses that were built there"
    assert languages(title, short) == ("en",)
    assert languages(title, short, title_language="en") == ("de", "en")
    assert languages(title, short, title_language="en", language="fr") == ("fr", "en")


def test_title_and_text_have_the_terms_of_their_languages_and_a_marker_each() -> None:
    title = "The Running Houses"
    found = encoded(f"{title} {GERMAN}", ("de", "en"), title)
    assert found == terms(title, "en") + terms(GERMAN, "de") + marks("de", "en")
    assert {"run", "hous", "haus"} <= set(found)
    assert "the" not in found


def test_a_passage_without_text_has_the_marker_of_its_title_only() -> None:
    assert encoded("The Houses", ("de", "en"), "The Houses") == {"hous": 1, "language:en": 1}
    assert encoded("Häuser", ("de", "en"), "") == {"haus": 1, "language:de": 1}


texts = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)


@given(texts, texts.filter(str.strip), st.sampled_from(["de", "en", "tr", "zh"]), st.booleans())
def test_passages_equal_their_parts(title: str, text: str, code: str, headings: bool) -> None:
    """For every cut of a text, a passage has the terms of its title and those of the rest."""
    document = Document("1", text, title, {"title_language": code, "language": "fr"})
    own = AUTO.document_languages(document)
    above = preface(title, outline(text) if headings else None)
    for start in range(0, len(text), 5):
        read = above.read(text, start, start + 10)
        rest = read.removeprefix(title.strip())
        expected = terms(title, code) + terms(rest, "fr") + marks(*[code] * bool(title.strip()))
        expected += marks(*["fr"] * bool(rest.strip() or not title.strip()))
        assert encoded(read, own, title) == expected


@given(texts.filter(str.strip), texts, st.sampled_from(["de", "en", "tr", "zh"]))
def test_two_parts_of_one_language_equal_the_whole(title: str, text: str, code: str) -> None:
    whole = f"{title} {text}".strip()
    assert encoded(whole, (code, code), title) == encoded(whole, (code,), title)
