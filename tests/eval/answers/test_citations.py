"""Precision and recall of citations, against a literal reading of their definitions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.eval.answers.citations import (
    CitedSentence,
    Scores,
    cited_support,
    gold_citations,
    word_support,
)

SOURCES = {1: "ant bee", 2: "bee cat", 3: "dog"}


def holds(premise: str, sentence: str) -> bool:
    return set(sentence.split()) <= set(premise.split())


def reference(sentences, sources, most):
    """ALCE's definitions, sentence by sentence, with every marker in the denominator."""
    recall, precise, total = 0, 0, 0
    for sentence in sentences:
        cited = []
        for number in sentence.numbers:
            if number not in cited and len(cited) < most:
                cited.append(number)
        total += len(cited)
        if not cited or any(number not in sources for number in cited):
            continue
        if not holds(" ".join(sources[n] for n in cited), sentence.text):
            continue
        recall += 1
        for number in cited:
            if len(cited) == 1:
                precise += 1
                continue
            alone = holds(sources[number], sentence.text)
            rest = holds(" ".join(sources[n] for n in cited if n != number), sentence.text)
            if alone or not rest:
                precise += 1
    return (precise / total if total else 0, recall / len(sentences) if sentences else 0)


SENTENCES = st.builds(
    CitedSentence,
    st.lists(st.sampled_from(["ant", "bee", "cat", "dog"]), min_size=1, max_size=3).map(" ".join),
    st.lists(st.integers(0, 4), max_size=5),
)


@given(st.lists(SENTENCES, max_size=4), st.integers(1, 4))
def test_equals_the_reference(sentences, most):
    found = cited_support(sentences, SOURCES, holds, most=most)
    assert (found.precision, found.recall) == pytest.approx(reference(sentences, SOURCES, most))


@pytest.mark.parametrize(
    ("numbers", "precision", "recall"),
    [
        ([1], 1, 1),
        ([], 0, 0),
        ([2], 0, 0),
        ([1, 1, 1], 1, 1),
        ([1, 3], 1 / 2, 1),  # 3 does not support the sentence, and 1 does without it.
        ([0], 0, 0),
        ([99], 0, 0),
        ([1, 99], 0, 0),
        ([1, 0], 0, 0),
    ],
)
def test_one_sentence(numbers, precision, recall):
    found = cited_support([CitedSentence("ant bee", numbers)], SOURCES, holds)
    assert (found.precision, found.recall) == (precision, recall)


def test_two_sources_that_are_needed_together_are_both_precise():
    assert cited_support([CitedSentence("ant cat", [1, 2])], SOURCES, holds) == Scores(1, 1)


@given(st.lists(SENTENCES, min_size=1, max_size=3), st.sampled_from([0, -1, 7, 99]))
def test_invalid_and_repeated_numbers_never_help(sentences, wrong):
    plain = cited_support(sentences, SOURCES, holds, most=None)
    first, *others = sentences
    for extra in ([wrong], list(first.numbers)):
        more = [CitedSentence(first.text, [*first.numbers, *extra]), *others]
        found = cited_support(more, SOURCES, holds, most=None)
        assert found.recall <= plain.recall
        assert found.precision <= plain.precision + 1e-12
    assert cited_support(sentences, SOURCES, holds, most=None, invalid=1).precision <= (
        plain.precision
    )


@pytest.mark.parametrize(
    ("cited", "relevant", "invalid", "precision", "recall", "f1"),
    [
        ({"a"}, {"a"}, 0, 1, 1, 1),
        ({"a", "b"}, {"a"}, 0, 1 / 2, 1, 2 / 3),
        ({"a"}, {"a", "b"}, 0, 1, 1 / 2, 2 / 3),
        ({"a"}, {"a"}, 1, 1 / 2, 1, 2 / 3),
        (set(), {"a"}, 0, 0, 0, 0),
        ({"a"}, set(), 0, 0, 0, 0),
        (set(), {"a"}, 3, 0, 0, 0),
    ],
)
def test_gold_passages(cited, relevant, invalid, precision, recall, f1):
    found = gold_citations(cited, relevant, invalid=invalid)
    assert (found.precision, found.recall, found.f1) == pytest.approx((precision, recall, f1))


def test_support_by_words():
    supports = word_support(lambda text: dict.fromkeys(text.lower().rstrip(".").split(), 1), 0.6)
    assert supports("the kiwi cannot fly at all", "The kiwi cannot swim fly.")
    assert not supports("the kiwi", "The kiwi cannot fly.")
    assert not supports("it has 12 eggs", "it has 13 eggs")
    assert supports("it has 13 eggs", "it has 13 eggs")
    assert not supports("anything", "")
