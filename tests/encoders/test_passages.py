"""Splitting text into passages."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.core import Passage
from twindex.encoders import PassageConfig, split_passages
from twindex.encoders.passages import passages

PIECES = [
    "a",
    "B",
    " ",
    "word",
    ". ",
    "! ",
    "\n",
    "\n\n",
    "。",
    "東",
    "京",
    "x" * 45,
    "Dr. ",
    "4.5 ",
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=60).map("".join)


@st.composite
def configs(draw: st.DrawFn) -> PassageConfig:
    size = draw(st.integers(1, 9))
    return PassageConfig(
        unit=draw(st.sampled_from(["words", "sentences"])),
        size=size,
        overlap=draw(st.integers(0, size - 1)),
        threshold=draw(st.integers(0, 12)),
    )


def words(text: str, passage: Passage) -> list[str]:
    return passages._word_pattern().findall(text[passage.start : passage.end])


@given(TEXTS, configs())
def test_passages_cover_the_text_and_respect_the_size(text: str, config: PassageConfig) -> None:
    pieces = split_passages(text, config)
    count = len(passages._word_pattern().findall(text))
    if count <= max(config.threshold, config.size):
        assert pieces == []
        return
    assert len(pieces) > 1
    covered: set[int] = set()
    for piece in pieces:
        assert 0 <= piece.start < piece.end <= len(text)
        assert 1 <= len(words(text, piece)) <= config.size
        assert text[piece.start : piece.end] == text[piece.start : piece.end].strip()
        covered.update(range(piece.start, piece.end))
    for left, right in pairwise(pieces):
        assert left.start < right.start
        assert left.end < right.end
    assert all(offset in covered for offset, letter in enumerate(text) if not letter.isspace())


@given(st.integers(0, 80), configs())
def test_words_equal_a_sliding_window(count: int, config: PassageConfig) -> None:
    config = config.model_copy(update={"unit": "words"})
    numbers = [str(100 + i) for i in range(count)]
    text = " ".join(numbers)
    expected = []
    if count > max(config.threshold, config.size):
        step = config.size - config.overlap
        starts = [*range(0, count - config.size, step), count - config.size]
        expected = [" ".join(numbers[start : start + config.size]) for start in starts]
    assert [text[p.start : p.end] for p in split_passages(text, config)] == expected


def sentences(text: str, size: int = 4, overlap: int = 0) -> list[str]:
    config = PassageConfig(unit="sentences", size=size, overlap=overlap, threshold=1)
    return [text[p.start : p.end] for p in split_passages(text, config)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One two three. Four five!", ["One two three.", "Four five!"]),
        ("One two? (Three four.) Five six.", ["One two? (Three four.)", "(Three four.) Five six."]),
        ("Then Dr. Smith met. J. R. Ewing left.", ["Then Dr. Smith met.", "J. R. Ewing left."]),
        ("Use 3.5 now. Then go on.", ["Use 3.5 now.", "Then go on."]),
        ("It says no. and goes on", ["It says no. and", "no. and goes on"]),
        ("A long title\n\nThe text", ["A long title", "The text"]),
        ("我爱你。你好！", ["我爱你。", "你好！"]),
        ("one two three four five", ["one two three four", "two three four five"]),
    ],
)
def test_text_is_split_at_sentence_ends(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_sentences_overlap_by_whole_sentences() -> None:
    text = "A b. C d. E f. G h. I j."
    assert sentences(text, size=4, overlap=2) == [
        "A b. C d.",
        "C d. E f.",
        "E f. G h.",
        "G h. I j.",
    ]
    assert sentences(text, size=4, overlap=1) == ["A b. C d.", "E f. G h.", "G h. I j."]


def test_text_without_spaces_is_split() -> None:
    config = PassageConfig(unit="words", size=10, overlap=2, threshold=10)
    for text in ("QUJD" * 2_000, "東" * 5_000, "ก" * 5_000, "東。" + "。" * 3_000):
        pieces = split_passages(text, config)
        assert max(p.end - p.start for p in pieces) <= 10 * passages.LONGEST_WORD
        assert pieces[-1].end == len(text)


def test_short_text_and_unit_none_stay_whole() -> None:
    assert split_passages("") == []
    assert split_passages("word " * 512) == []
    assert split_passages("word " * 513) != []
    assert split_passages("word " * 5_000, PassageConfig(unit="none")) == []


def test_long_text_is_fast() -> None:
    text = "Some words make a sentence. " * 40_000
    pieces = split_passages(text, PassageConfig(unit="sentences"))
    assert len(pieces) > 1_000
    assert len(re.findall("Some", text[pieces[0].start : pieces[0].end])) == 40


TABLES = [
    "| name | what it does. |\n|---|---|\n| a | b c |\n| d | e f |\n",
    "| name | what it does |\n| --- | :--: |\n| a | b c. |\n| d | e f |\n",
    "name | what it does.\n--- | ---\na | b c\nd | e f\n",
]
RULE = re.compile(r"[-:|\s]*-[-:|\s]*\|")


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("unit", ["words", "sentences"])
@pytest.mark.parametrize("size", [5, 8, 11])
def test_no_passage_starts_below_the_header_of_a_table(table: str, unit: str, size: int) -> None:
    for before in range(12):
        text = "word " * before + "\n\n" + table * 2
        config = PassageConfig(unit=unit, size=size, overlap=2, threshold=size)
        pieces = [text[p.start : p.end] for p in split_passages(text, config)]
        assert len(pieces) > 2
        assert [piece for piece in pieces if RULE.match(piece.splitlines()[0])] == []
        assert all(len(piece.split()) <= size for piece in pieces)


def test_a_line_of_dashes_longer_than_a_passage_is_split() -> None:
    text = "a b c\n" + "| --- " * 30 + "|\nd e f"
    config = PassageConfig(unit="words", size=6, overlap=0, threshold=6)
    assert split_passages(text, config)[-1].end == len(text)
    assert split_passages("-" * 100_000 + "x|", config)
