"""Snippets with matching words, against a search of all windows."""

from __future__ import annotations

from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import twindex
from twindex.core import Document, InvalidInputError
from twindex.encoders import AnalyzerConfig, LexicalEncoder
from twindex.search.arranging.highlighting import highlights
from twindex.search.arranging.request import HighlightRequest

ENGLISH = LexicalEncoder(AnalyzerConfig(language="en"))
LEXICAL = {"legs": {"lexical": {"kind": "lexical"}}}


def matcher(query: str):
    terms = {token.term for token in ENGLISH.tokens(query)}
    return lambda text: ENGLISH.matches(text, terms)


def best_score(text: str, query: str, size: int) -> tuple[int, int]:
    """Return the most terms, and then words, of any window that begins at a matching word."""
    words = matcher(query)(text)
    scores = []
    for i, word in enumerate(words):
        inside = [one for one in words[i:] if one is word or one.end - word.start <= size]
        scores.append((len({one.term for one in inside}), len(inside)))
    return max(scores)


WORDS = st.sampled_from(
    ["bird", "birds", "Flying", "flies", "egg", "tree,", "of", "naïve", "x" * 40, "a.b", "(wing)"]
)
SPACES = st.sampled_from([" ", "  ", "\n", " - "])
TEXTS = st.lists(st.tuples(WORDS, SPACES), max_size=60).map(
    lambda parts: "".join(word + space for word, space in parts)
)


@settings(max_examples=200)
@given(TEXTS, st.sampled_from(["bird", "birds fly", "egg tree wing", "x" * 40, "none"]),
       st.integers(20, 120), st.integers(1, 4))  # fmt: skip
def test_snippets_are_the_best_windows(text, query, size, fragments):
    request = HighlightRequest(size=size, fragments=fragments, pre="<b>", post="</b>")
    found = highlights(Document("a", text), matcher(query), request)
    words = matcher(query)(text)
    assert bool(found) == bool(words)
    assert len(found) <= fragments
    taken: set[int] = set()
    for one in found:
        assert (one.field, one.text) == ("text", text[one.start : one.end])
        assert one.spans
        assert len(one.text) <= size or one.spans == [(one.start, one.end)]
        assert set(one.spans) <= {(word.start, word.end) for word in words}
        for at in (one.start, one.end):
            inside = 0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum()
            assert not inside
        places = set(range(one.start, one.end))
        assert not places & taken
        taken |= places
        assert unescape(one.marked.replace("<b>", "").replace("</b>", "")) == one.text
        assert one.marked.count("<b>") == len(one.spans)
    if found:
        inside = [word for word in words if (word.start, word.end) in found[0].spans]
        score = (len({word.term for word in inside}), len(inside))
        assert score >= best_score(text, query, size)


@given(st.text(max_size=80), st.text(max_size=12))
def test_matches_are_the_tokens_with_these_terms(text, query):
    for language in ("en", "none", "tr"):
        encoder = LexicalEncoder(AnalyzerConfig(language=language))
        terms = {token.term for token in encoder.tokens(query)}
        expected = [token for token in encoder.tokens(text) if token.term in terms]
        assert encoder.matches(text, terms) == expected


@pytest.fixture
def birds(tmp_path):
    with twindex.create(tmp_path / "birds", LEXICAL) as collection:
        collection.add(
            [
                Document("kiwi", "The kiwi cannot fly. <b>Kiwis</b> sleep by day.", "Kiwi birds"),
                Document("emu", "An emu runs."),
            ]
        )
        yield collection


def test_words_match_as_the_leg_analyses_them(birds):
    hits = birds.search("flying kiwis", highlight={"pre": "<em>", "post": "</em>"}).hits
    title, text = hits[0].highlights
    assert (title.field, title.text, title.spans) == ("title", "Kiwi birds", [(0, 4)])
    assert text.marked == (
        "The <em>kiwi</em> cannot <em>fly</em>. &lt;b&gt;<em>Kiwis</em>&lt;/b&gt; sleep by day."
    )
    assert [text.text[low:high] for low, high in text.spans] == ["kiwi", "fly", "Kiwis"]
    assert birds.search("kiwi").hits[0].highlights is None
    assert birds.search("kiwi", highlight=False).hits[0].highlights is None


def test_snippets_need_no_included_text(birds):
    (hit,) = birds.search("kiwi", include=[], highlight={"fields": ["text"], "size": 20}).hits
    assert hit.document is None
    (one,) = hit.highlights
    assert len(one.text) <= 20
    assert one.marked is None


def test_collections_without_a_lexical_leg_compare_words(tmp_path):
    config = {"legs": {"dense": {"kind": "dense", "encoder": {"kind": "dense", "model": "fake"}}}}
    with twindex.create(tmp_path / "birds", config) as collection:
        collection.add([Document("kiwi", "The Kiwi flies. Kiwis do not.")])
        (hit,) = collection.search("kiwi flies", highlight=True).hits
    assert [(hit.text[low:high]) for low, high in hit.highlights[0].spans] == ["Kiwi", "flies"]


def test_each_document_is_analysed_in_its_language(tmp_path):
    encoder = {"kind": "analyzer", "language": "de,en"}
    config = {"legs": {"lexical": {"kind": "lexical", "encoder": encoder}}}
    with twindex.create(tmp_path / "texts", config) as collection:
        collection.add([Document("de", "Die Häuser der alten Stadt stehen am Fluss.")])
        (hit,) = collection.search("Haus", language="de", highlight=True).hits
    assert [hit.text[low:high] for low, high in hit.highlights[0].spans] == ["Häuser"]


@pytest.mark.parametrize(
    ("given_fields", "message"),
    [
        ({"highlight": {"pre": "<b>"}}, "`pre` and `post` belong together"),
        ({"highlight": {"size": 1}}, "highlight.size"),
        ({"highlight": {"fields": []}}, "highlight.fields"),
        ({"highlight": {"fields": ["metadata"]}}, r"highlight.fields\[0\]"),
    ],
)
def test_wrong_options_are_named(birds, given_fields, message):
    with pytest.raises(InvalidInputError, match=message):
        birds.search("kiwi", **given_fields)
    with pytest.raises(InvalidInputError, match="`highlight` requires a query text"):
        birds.search(sort=["id"], highlight=True)
