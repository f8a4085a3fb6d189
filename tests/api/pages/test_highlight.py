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


def lines(found):
    return ["".join(f.text for f in block.fragments).strip("\n") for block in found.blocks]


def test_a_first_line_that_is_the_title_is_not_shown():
    for text in (
        "Kiwi\nA bird.",
        "# Kiwi\n\nA bird.",
        "\n**Kiwi**\n\nA bird.",
        "Kiwi\n===\nA bird.",
    ):
        found = excerpt(text, terms("bird"), ENGLISH.tokens, title="Kiwi")
        assert lines(found) == ["A bird."], text
        assert not found.cut_before
    long = "Kiwi\n" + "The kiwi runs at night. " * 40
    assert lines(excerpt(long, terms("kiwi"), ENGLISH.tokens, title="Kiwi"))[0].startswith("The")
    for text in ("Kiwis are birds.", "A bird: Kiwi"):
        assert lines(excerpt(text, set(), ENGLISH.tokens, title="Kiwi")) == [text]
    assert lines(excerpt("Kiwi", set(), ENGLISH.tokens, title="Kiwi")) == []


def test_a_passage_that_begins_inside_code_or_a_table_has_no_marks():
    code = "Text.\n\n```sh\nls a\nls b\n```\n\nMore **text**.\n"
    found = excerpt(code, set(), ENGLISH.tokens, Passage(code.index("ls b"), len(code)))
    assert [block.kind for block in found.blocks] == ["code", "paragraph"]
    assert lines(found) == ["ls b", "More text."]
    table = "| a | b |\n|---|---|\n| c | d |\n"
    found = excerpt(table, set(), ENGLISH.tokens, Passage(table.index("-|"), len(table)))
    assert lines(found) == ["c | d"]


def test_a_text_without_markdown_keeps_its_characters():
    text = "# Call **this** `__init__`.\n---\n| not a table |"
    found = excerpt(text, terms("init"), ENGLISH.tokens, markdown=False)
    assert "\n".join(lines(found)) == text
