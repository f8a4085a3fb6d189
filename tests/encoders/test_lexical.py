"""The analyzer: words, terms and offsets."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import Stemmer
from hypothesis import given
from hypothesis import strategies as st

from twindex.core import ConfigError, InvalidInputError
from twindex.encoders import AnalyzerConfig, LexicalEncoder
from twindex.encoders.lexical import encoder as lexical
from twindex.encoders.lexical import languages


def terms(text: str, language: str = "en", **options: bool) -> list[str]:
    encoder = LexicalEncoder(AnalyzerConfig(language=language, **options))
    return [token.term for token in encoder.tokens(text)]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "The running Dogs", ["run", "dog"]),
        ("en", "read_text(path)", ["read", "text", "path"]),
        ("en", "O'Neil’s theory", ["o'neil", "theori"]),
        ("en", "don't they're it's", []),
        ("en", "Python 3.11, 1,000 km.", ["python", "3.11", "1,000", "km"]),
        ("en", "ＦＵＬＬ ﬁne x²", ["full", "fine", "x2"]),
        ("en", "cafe\u0301 caf\u00e9", ["café", "café"]),
        ("en", "super\u00adcalifragilistic", ["supercalifragilist"]),
        ("de", "Die Häuser der Straße STRASSE", ["haus", "strass", "strass"]),
        ("fr", "l’avion d'été", ["avion"]),
        ("it", "dell'acqua", ["acqua"]),
        ("es", "las niñas corrían", ["niñ", "corr"]),
        ("tr", "IŞIK ışık", ["ışık", "ışık"]),
        ("hi", "किताबें", ["किताब"]),
        ("none", "The running Dogs", ["the", "running", "dogs"]),
        ("none", "北京。茶", ["北", "北京", "京", "茶"]),
        ("none", "カード", ["カー", "ード"]),
        ("none", "hello世界2", ["hello", "世", "世界", "界", "2"]),
        ("en", "", []),
        ("en", "!? ... —", []),
        ("en", "x" * 256, []),
    ],
)
def test_terms_of_each_language(language: str, text: str, expected: list[str]) -> None:
    assert terms(text, language) == expected


def test_stem_and_stopwords_can_be_turned_off() -> None:
    assert terms("The dogs", stem=False) == ["dogs"]
    assert terms("The dogs", stopwords=False) == ["the", "dog"]


def test_every_language_of_snowball_has_a_code() -> None:
    reachable = {languages.SNOWBALL[code] for code in languages.stemmed()}
    assert set(Stemmer.algorithms()) - reachable <= {"porter", "dutch_porter", "lovins"}


@pytest.mark.parametrize("code", ["en", "de", "fr", "es", "it", "nl", "pt"])
def test_stopword_lists(code: str) -> None:
    words = languages.stopwords(code)
    assert len(words) > 90
    assert terms(" ".join(sorted(words)), code) == []


def test_unknown_language_is_rejected() -> None:
    with pytest.raises(
        ConfigError, match=r"cannot analyse the language 'xx': choose one of .*en.*none"
    ) as error:
        LexicalEncoder(AnalyzerConfig(language="xx"))
    assert error.value.field == "language"


def test_stopwords_are_rejected_for_language_without_list() -> None:
    for language in ("ru", "none"):
        expected = f"no stopword list for {language!r}: leave out .* choose one of .*en"
        with pytest.raises(ConfigError, match=expected) as error:
            LexicalEncoder(AnalyzerConfig(language=language, stopwords=True))
        assert error.value.field == "stopwords"
        default = LexicalEncoder(AnalyzerConfig(language=language)).fingerprint
        without = LexicalEncoder(AnalyzerConfig(language=language, stopwords=False)).fingerprint
        assert default == without
    explicit = LexicalEncoder(AnalyzerConfig(stopwords=True)).fingerprint
    assert explicit == LexicalEncoder().fingerprint


def test_offsets_refer_to_the_original_text() -> None:
    text = "Ａ ﬁne 'Cafe\u0301' in 東京"
    found = LexicalEncoder(AnalyzerConfig(language="en")).tokens(text)
    assert [(t.term, text[t.start : t.end]) for t in found] == [
        ("fine", "ﬁne"),
        ("café", "Cafe\u0301"),
        ("東", "東"),
        ("東京", "東京"),
        ("京", "京"),
    ]


WRITTEN = st.text(
    st.one_of(
        st.sampled_from(" .,'’_-aB9éß\u0301\u00adßIİ東京カﾞกำ한\U0001f600"),
        st.characters(codec="utf-8"),
    ),
    max_size=60,
)


@given(WRITTEN, st.sampled_from(["en", "fr", "tr", "none"]))
def test_encode_counts_the_tokens(text: str, language: str) -> None:
    encoder = LexicalEncoder(AnalyzerConfig(language=language))
    tokens = encoder.tokens(text)
    (counted,) = encoder.encode([text], role="document").terms or ()
    assert counted == Counter(token.term for token in tokens)
    assert all(token.term and text[token.start : token.end].strip() for token in tokens)
    assert [t.start for t in tokens] == sorted(t.start for t in tokens)


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_pattern_finds_the_same_words(text: str) -> None:
    for apostrophe in (False, True):
        fast = lexical._ascii_words(apostrophe=apostrophe).findall(text)
        assert fast == lexical._words(apostrophe=apostrophe).findall(text)


def test_fingerprints_of_different_analyzers_differ() -> None:
    configs = [
        AnalyzerConfig(),
        AnalyzerConfig(language="de"),
        AnalyzerConfig(stem=False),
        AnalyzerConfig(stopwords=False),
    ]
    prints = [str(LexicalEncoder(config).fingerprint) for config in configs]
    assert len(set(prints)) == len(configs)
    assert prints[0] == str(LexicalEncoder().fingerprint)


def test_threads_share_one_analyzer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexical, "CACHED_WORDS", 50)  # The cache is emptied very often.
    encoder = LexicalEncoder()
    texts = [f"running{i % 97} horses{i % 89} quickly" for i in range(2_000)]
    with ThreadPoolExecutor(4) as pool:
        parts = list(
            pool.map(lambda _: list(encoder.encode(texts, role="document").terms or ()), range(4))
        )
    assert all(part == parts[0] for part in parts)
    assert parts[0][0] == {"running0": 1, "horses0": 1, "quick": 1}


def test_encode_reports_progress_and_term_raises() -> None:
    done: list[int] = []
    LexicalEncoder().encode(["a b"] * 600, role="query", advance=done.append)
    assert sum(done) == 600
    assert len(done) > 1
    with pytest.raises(InvalidInputError):
        LexicalEncoder().term(0)
