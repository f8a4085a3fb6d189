"""Lexical analysis of documents in several languages."""

from __future__ import annotations

import json
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import twindex
from twindex.core import ConfigError, Document, InvalidInputError, ModelError
from twindex.encoders import (
    AnalyzerConfig,
    LexicalEncoder,
    MultilingualEncoder,
    load_encoder,
)
from twindex.encoders.lexical import detection, languages

STORED = json.loads((Path(__file__).parent / "stored_terms.json").read_text(encoding="utf-8"))
TEXTS = {
    "en": "The houses of the old city were built by the river long ago.",
    "de": "Die Häuser der alten Stadt wurden vor langer Zeit am Fluss gebaut.",
    "fr": "Les maisons de la vieille ville ont été construites près de la rivière.",
    "es": "Las casas de la ciudad vieja fueron construidas junto al río.",
    "ru": "Дома старого города были построены у реки очень давно.",
    "ar": "بنيت بيوت المدينة القديمة بجانب النهر منذ زمن بعيد",
    "ja": "古い町の家は昔、川のそばに建てられました。",
    "zh": "老城的房子很久以前建在河边。",
    "ko": "오래된 도시의 집들은 오래전에 강가에 지어졌습니다.",
    "th": "บ้านในเมืองเก่าถูกสร้างขึ้นริมแม่น้ำเมื่อนานมาแล้ว",
}


@pytest.fixture(scope="module")
def auto() -> MultilingualEncoder:
    return MultilingualEncoder(AnalyzerConfig(language="auto"))


def terms(text: str, language: str, **options: bool) -> dict[str, int]:
    encoder = LexicalEncoder(AnalyzerConfig(language=language, **options))
    return dict(encoder.count(text))


@pytest.mark.parametrize("analysis", STORED["analyses"], ids=lambda one: one["language"])
def test_stored_terms_and_fingerprints_stay_equal(analysis) -> None:
    encoder = load_encoder(AnalyzerConfig(language=analysis["language"]))
    rows = encoder.encode(STORED["texts"], role="document").terms or ()
    assert [[[term, n] for term, n in row.items()] for row in rows] == analysis["terms"]
    assert encoder.fingerprint == analysis["fingerprint"]


@pytest.mark.parametrize("code", TEXTS)
def test_a_document_has_the_terms_of_its_language_and_a_marker(code, auto) -> None:
    text = TEXTS[code]
    assert auto.document_languages(Document("1", text)) == (code,)
    (row,) = auto.encode([text], role="document").terms or ()
    assert row == {**terms(text, code), f"language:{code}": 1}
    assert auto.tokens(text) == LexicalEncoder(AnalyzerConfig(language=code)).tokens(text)


def test_unsupported_and_uncertain_languages_are_analysed_without_stems(auto) -> None:
    for text in ("Будинки старого міста були побудовані біля річки", "", "12 -- 34", "x" * 40):
        assert auto.detect(text) == "none"
        (row,) = auto.encode([text], role="document").terms or ()
        assert row == {**terms(text, "none"), "language:none": 1}


@given(st.text(max_size=40))
def test_no_text_has_the_term_of_a_marker(text: str) -> None:
    for language in ("en", "fr", "none"):
        assert not any(":" in term for term in terms(f"language:{text} {text}:de", language))


@pytest.mark.parametrize(
    ("value", "expected"),
    [("de", "de"), ("de-AT", "de"), ("pt_BR", "pt"), (" FR ", "fr"), ("nb", "no"), ("zh-TW", "zh")],
)
def test_the_metadata_of_a_document_name_its_language(value, expected, auto) -> None:
    document = Document("1", TEXTS["en"], metadata={"language": value})
    assert auto.document_languages(document) == (expected,)


@pytest.mark.parametrize("value", ["python", "none", "", 3, None, ["de"], {"de": 1}, "uk"])
def test_other_values_of_the_metadata_field_are_no_language(value, auto) -> None:
    document = Document("1", TEXTS["en"], metadata={"language": value})
    assert auto.document_languages(document) == ("en",)


def test_a_list_restricts_detection_and_its_first_language_is_the_fallback() -> None:
    encoder = MultilingualEncoder(AnalyzerConfig(language="de,en"))
    assert encoder.languages == ("de", "en")
    assert [encoder.detect(TEXTS[code]) for code in ("de", "en")] == ["de", "en"]
    assert encoder.detect(TEXTS["fr"]) in ("de", "en")
    assert encoder.detect("12 34") == "de"
    french = Document("1", TEXTS["en"], metadata={"language": "fr"})
    assert encoder.document_languages(french) == ("en",)


@pytest.mark.parametrize(
    ("language", "message"),
    [
        ("de,xx", "cannot analyse the language 'xx': choose one of .*zh"),
        ("de,", "cannot analyse the language ''"),
        ("de,de", "'de' occurs twice in 'de,de'"),
        ("none,de", "'none' means no language"),
    ],
)
def test_an_invalid_list_is_refused(language, message) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        load_encoder(AnalyzerConfig(language=language))
    assert error.value.field == "language"


def test_a_single_analyzer_refuses_detection() -> None:
    with pytest.raises(ConfigError, match="got 'auto': languages are detected only"):
        LexicalEncoder(AnalyzerConfig(language="auto"))


def test_options_apply_to_every_language() -> None:
    text = TEXTS["de"]
    for options in ({"stem": False}, {"stopwords": False}, {"stem": False, "stopwords": False}):
        encoder = MultilingualEncoder(AnalyzerConfig(language="auto", **options))
        (row,) = encoder.encode([text], role="document").terms or ()
        assert row == {**terms(text, "de", **options), "language:de": 1}
    everywhere = MultilingualEncoder(AnalyzerConfig(language="auto", stopwords=True))
    assert everywhere.encode([TEXTS["ru"]], role="document").terms


def test_fingerprints_differ_and_name_the_detector() -> None:
    configs = [
        AnalyzerConfig(language="auto"),
        AnalyzerConfig(language="de,en"),
        AnalyzerConfig(language="en,de"),
        AnalyzerConfig(language="auto", stem=False),
        AnalyzerConfig(language="auto", stopwords=False),
        AnalyzerConfig(language="en"),
        AnalyzerConfig(language="ja"),
    ]
    prints = [json.dumps(dict(load_encoder(config).fingerprint)) for config in configs]
    assert len(set(prints)) == len(prints)
    assert json.loads(prints[0])["detector"] == detection.detector()
    default = load_encoder(AnalyzerConfig(language="auto", stopwords=True)).fingerprint
    assert json.dumps(dict(default)) == prints[0]


# -- queries -------------------------------------------------------------------------------

BOTH = {"de": 50, "en": 50}


@pytest.mark.parametrize(
    ("text", "language", "passages", "expected"),
    [
        ("Wie viele Häuser hat die alte Stadt?", None, BOTH, ("de",)),
        ("How many houses are in the old city?", None, BOTH, ("en",)),
        ("Panthers", None, BOTH, ("de", "en")),
        ("", None, BOTH, ("de", "en")),
        ("12", None, {**BOTH, "none": 3}, ("de", "en", "none")),
        ("Panthers", None, {"en": 9, "de": 0}, ("en",)),
        ("Panthers", None, {"en": 9, "none": 1}, ("en", "none")),
        ("Panthers", None, {}, ("none",)),
        ("Panthers", None, {"none": 4}, ("none",)),
        ("Panthers", "de", BOTH, ("de",)),
        ("Panthers", "de-AT", {**BOTH, "none": 1}, ("de", "none")),
        ("Panthers", "fr", BOTH, ("fr",)),
        ("Panthers", "none", {**BOTH, "none": 1}, ("none",)),
    ],
)
def test_languages_of_a_query(text, language, passages, expected, auto) -> None:
    assert auto.query_languages(text, language, passages) == expected


def test_a_rare_language_must_be_detected_more_clearly(auto) -> None:
    text = "die alte Stadt"
    assert auto.query_languages(text, None, BOTH) == ("de",)
    assert "en" in auto.query_languages(text, None, {"de": 1, "en": 10**9})


def test_an_unknown_language_of_a_query_is_refused(auto) -> None:
    with pytest.raises(
        InvalidInputError, match=r"must be one of ar, .*, or \"none\", got 'xx'"
    ) as e:
        auto.query_languages("text", "xx", BOTH)
    assert e.value.field == "language"
    two = MultilingualEncoder(AnalyzerConfig(language="de,en"))
    with pytest.raises(InvalidInputError, match=r"must be one of de, en, or"):
        two.query_languages("text", "fr", BOTH)


@given(
    st.lists(
        st.sampled_from(
            [
                "news",
                "Häuser",
                "houses",
                "die",
                "the",
                "l'avion",
                "studies",
                "東京",
                "o'neil",
                "3.14",
            ]
        )
    ),
    st.lists(st.sampled_from(["de", "en", "fr", "zh"]), min_size=2, max_size=4, unique=True),
)
def test_several_languages_count_each_term_once(words, codes) -> None:
    text = " ".join(words)
    encoder = MultilingualEncoder(AnalyzerConfig(language="auto"))
    (found,) = encoder.encode([text], role="query", languages=[tuple(codes)]).terms or ()
    rows = [terms(text, code) for code in codes]
    every = set().union(*rows)
    assert found == {term: max(row.get(term, 0) for row in rows) for term in every}


def test_texts_without_a_language_match_unchanged_words_but_no_stopwords(auto) -> None:
    (found,) = (
        auto.encode(["the running of houses"], role="query", languages=[("en", "none")]).terms or ()
    )
    assert found == {"run": 1, "running": 1, "hous": 1, "houses": 1}
    (found,) = auto.encode(["the houses"], role="query", languages=[("none",)]).terms or ()
    assert found == {"the": 1, "houses": 1}


# -- scripts without spaces ------------------------------------------------------------------

WORDS = {
    "zh": ["房子", "很久", "河边", "老城"],
    "ja": ["古い", "建てられ", "そば"],
    "ko": ["도시", "지어졌", "강가"],
    "th": ["บ้าน", "เมือง", "แม่น้ำ", "สร้าง"],
}


@pytest.mark.parametrize("code", WORDS)
def test_every_word_of_a_text_without_spaces_is_found(code) -> None:
    text = set(terms(TEXTS[code], code))
    for word in WORDS[code]:
        assert word in TEXTS[code]
        assert set(terms(word, code)) <= text, word


@given(
    st.text(st.sampled_from("东京大学書館도시집の家は"), min_size=2, max_size=12),
    st.data(),
)
def test_terms_of_a_part_are_terms_of_the_whole(text: str, data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(text) - 2))
    part = text[begin : data.draw(st.integers(begin + 2, len(text)))]
    for code in ("zh", "ja", "ko"):
        assert set(terms(part, code)) <= set(terms(text, code))


# -- detection -------------------------------------------------------------------------------


def test_probabilities_add_up_to_one() -> None:
    for text in (*TEXTS.values(), "", "\ud800"):
        found = detection.probabilities(text)
        assert sum(found.values()) == pytest.approx(1, abs=1e-5)
        assert set(languages.supported()) - set(found) <= {"yi"}


@given(st.text(max_size=2_000))
def test_a_sample_is_short_and_has_the_beginning_and_the_middle(text: str) -> None:
    found = detection.sample(text)
    if len(text) <= 512:
        assert found == text
    else:
        assert len(found) <= 513
        assert text.startswith(found[:256])
        assert found[257:] in text[256:]


def test_a_detector_that_cannot_be_loaded_is_named(monkeypatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    detection._load.cache_clear()
    detection._probabilities.cache_clear()
    with pytest.raises(ModelError, match=r"detector cannot be loaded: No space left .*TMPDIR"):
        detection.probabilities("a text that no other test has")
    monkeypatch.undo()
    assert detection.probabilities("a text that no other test has")


def test_threads_share_an_encoder() -> None:
    encoder = MultilingualEncoder(AnalyzerConfig(language="auto"))
    texts = [f"{text} {i}" for i in range(20) for text in TEXTS.values()]
    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(lambda text: encoder.encode([text], role="document").terms, texts))
    expected = MultilingualEncoder(encoder.config).encode(texts, role="document").terms
    assert [row[0] for row in rows] == expected


def test_long_texts_are_detected_by_a_sample() -> None:
    long = "1234 " * 60 + TEXTS["de"] * 100
    assert long[:256] in detection.sample(long)
    assert MultilingualEncoder(AnalyzerConfig(language="auto")).detect(long) == "de"


def test_the_page_lists_all_languages() -> None:
    page = Path(twindex.__file__).parent.joinpath("docs", "languages.md").read_text("utf-8")
    rows = page.partition("## Known languages")[2].partition("\n\n- ")[0].splitlines()[4:]
    listed = [re.findall(r"`(\w\w)`", row) for row in rows]
    stopped, stemmed, pairs = map(set, listed)
    assert stopped == set(languages.with_stopwords())
    assert stemmed | stopped == set(languages.stemmed())
    assert pairs == set(languages.UNSTEMMED)
