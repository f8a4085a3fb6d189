"""Exact match, F1 and gold answers in texts, against short references and worked cases."""

from __future__ import annotations

import re
import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.eval.answers.matching import (
    contains_answer,
    exact_match,
    first_with_answer,
    normalize,
    token_f1,
    without_markers,
    words,
)

ASCII = st.text(st.sampled_from("ab AN the.,'-1[]!\n"), max_size=30)


def squad(text: str) -> str:
    """The normalisation of SQuAD's evaluation, in its order of steps."""
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def squad_f1(one: str, other: str) -> float:
    a, b = squad(one).split(), squad(other).split()
    same = sum((Counter(a) & Counter(b)).values())
    if not same:
        return 0.0
    precision, recall = same / len(a), same / len(b)
    return 2 * precision * recall / (precision + recall)


@given(ASCII, ASCII)
def test_equals_squad_unless_nothing_remains(text, gold):
    if squad(text) and squad(gold):
        assert normalize(text) == squad(text)
        assert exact_match(text, [gold]) == float(squad(text) == squad(gold))
        assert token_f1(text, [gold]) == pytest.approx(squad_f1(text, gold))


@pytest.mark.parametrize(
    ("text", "answers", "em", "f1"),
    [
        ("The Indian Ocean.", ["indian ocean"], 1, 1),
        ("Indian Ocean", ["Pacific", "the Indian Ocean"], 1, 1),
        ("in 1901", ["1901"], 0, 2 / 3),
        ("to be or not", ["to be or not to be"], 0, 8 / 10),
        ("“20–18”", ["20-18"], 1, 1),
        ("A", ["the"], 0, 0),
        ("the", ["A"], 0, 0),
        ("A", ["a"], 1, 1),
        ("+", ["-"], 0, 0),
        ("anything", [], 0, 0),
    ],
)
def test_exact_match_and_f1(text, answers, em, f1):
    assert exact_match(text, answers) == em
    assert token_f1(text, answers) == pytest.approx(f1)


@pytest.mark.parametrize(
    ("text", "answers", "found"),
    [
        ("It was Wilhelm Conrad Röntgen, in 1901.", ["wilhelm conrad röntgen"], True),
        ("It was Conrad Wilhelm Röntgen.", ["Wilhelm Conrad Röntgen"], False),
        ("A party of four", ["art"], False),
        ("over the Indian Ocean", ["an Indian Ocean"], True),
        ("They won 20-18.", ["20–18"], True),
        ("They won 2018.", ["20–18"], False),
        ("首都は東京です", ["東京"], True),
        ("首都は京東です", ["東京"], False),
        ("C++ is a language", ["+"], True),
        ("no", [], False),
        ("no", [" "], False),
    ],
)
def test_answers_in_texts(text, answers, found):
    assert contains_answer(text, answers) is found


@given(st.lists(st.sampled_from(["ab", "c", "d"]), max_size=8), st.data())
def test_every_run_of_words_is_found(tokens, data):
    text = ", ".join(tokens)
    start = data.draw(st.integers(0, len(tokens)))
    end = data.draw(st.integers(start, len(tokens)))
    answer = " ".join(tokens[start:end])
    assert contains_answer(text, [answer]) is bool(answer)
    other = data.draw(st.lists(st.sampled_from(["ab", "c", "d"]), min_size=1, max_size=3))
    joined = f" {' '.join(words(text))} "
    assert contains_answer(text, [" ".join(other)]) is (f" {' '.join(other)} " in joined)


def test_first_text_with_an_answer():
    texts = ["nothing", "the year 1901", "1901"]
    assert first_with_answer(texts, ["1901"]) == 2
    assert first_with_answer(texts, ["1902"]) is None
    assert first_with_answer([], ["1902"]) is None


def test_numbers_of_markers_are_no_answer():
    text = "Seven sisters [1]. In 1901 [2][10]."
    assert without_markers(text) == "Seven sisters. In 1901."
    assert contains_answer(text, ["1"])
    assert not contains_answer(without_markers(text), ["1"])
