"""Excerpts and marks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from twindex.api.pages.highlight import LENGTH, excerpt, fragments
from twindex.core import Passage
from twindex.encoders import AnalyzerConfig, LexicalEncoder

ENGLISH = LexicalEncoder(AnalyzerConfig())


def terms(query):
    return {token.term for token in ENGLISH.tokens(query)}


def marked(found):
    return [fragment.text for fragment in found if fragment.marked]


def test_words_that_match_after_analysis_are_marked():
    found = fragments("It flies; flying FLY, a butterfly.", terms("fly"), ENGLISH.tokens)
    assert marked(found) == ["flies", "flying", "FLY"]


def test_overlapping_tokens_are_marked_once():
    found = fragments("我愛北京天安門", terms("北京"), ENGLISH.tokens)
    assert marked(found) == ["北京"] or "".join(marked(found)) == "北京"


@given(st.text(max_size=300), st.text(max_size=30))
def test_nothing_is_lost_or_added(text, query):
    found = fragments(text, terms(query), ENGLISH.tokens)
    assert "".join(fragment.text for fragment in found) == text


@given(st.text(alphabet="ab c\n", max_size=3_000), st.integers(0, 500), st.integers(0, 2_000))
def test_an_excerpt_is_a_bounded_piece_of_the_passage(text, start, size):
    passage = Passage(min(start, len(text)), min(start + size, len(text)))
    found = excerpt(text, {"a", "bb"}, ENGLISH.tokens, passage)
    shown = "".join(fragment.text for fragment in found.fragments)
    assert shown in text[passage.start : passage.end]
    assert len(shown) <= LENGTH


def test_the_stretch_with_most_matches_is_shown():
    text = "kiwi " + "filler " * 500 + "the kiwi and the emu cannot fly " + "filler " * 500
    found = excerpt(text, terms("kiwi emu fly"), ENGLISH.tokens)
    assert marked(found.fragments) == ["kiwi", "emu", "fly"]
    assert found.cut_before
    assert found.cut_after


def test_a_short_text_is_shown_whole():
    found = excerpt("The kiwi.", terms("kiwi"), ENGLISH.tokens)
    assert not found.cut_before
    assert not found.cut_after
    assert marked(found.fragments) == ["kiwi"]
