"""The extractive writer: scores of sentences, and what a question asks for."""

from __future__ import annotations

from math import exp, log
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.core.answers import Source
from twindex.encoders.lexical.config import AnalyzerConfig
from twindex.encoders.lexical.encoder import LexicalEncoder
from twindex.generate import Candidate, ExtractiveConfig, Task, load_generator
from twindex.generate.writers import scoring
from twindex.generate.writers.expected import DATE, NUMBER, PERSON, PLACE, expected

TERMS = LexicalEncoder(AnalyzerConfig()).count
WORDS = st.sampled_from(["kiwi", "emu", "feather", "island", "wing", "stone"])
SENTENCE = st.lists(WORDS, min_size=1, max_size=4).map(lambda words: " ".join(words).capitalize())
TEXTS = st.lists(st.lists(SENTENCE, min_size=1, max_size=3), min_size=1, max_size=3)


def source(number: int, text: str, title: str = "") -> Source:
    return Source(number, f"d{number}", text, 0, len(text), title, ranks=(number,))


@given(TEXTS, st.lists(WORDS, min_size=1, max_size=3, unique=True), st.sampled_from(["", "Emu"]))
def test_scores_are_those_of_the_formula(
    texts: list[list[str]], question: list[str], title: str
) -> None:
    sources = [source(n, ". ".join(own) + ".", title) for n, own in enumerate(texts, 1)]
    wanted = TERMS(" ".join(question))
    every = [set(TERMS(one)) for own in texts for one in own]
    idf = {t: log(1 + len(every) / (0.5 + sum(t in one for one in every))) for t in wanted}
    scores = []
    for rank, own in enumerate(texts, 1):
        for position, one in enumerate(own):
            cover = 0.0
            for term in wanted:
                if term in TERMS(one):
                    cover += idf[term]
                elif term in TERMS(title):
                    cover += scoring.ABOVE * idf[term]
                elif position and term in TERMS(own[position - 1]):
                    cover += scoring.BESIDE * idf[term]
            if cover:
                value = scoring.MATCH * cover / sum(idf.values())
                value -= scoring.RANK * log(rank) + scoring.POSITION * log(position + 1)
                scores.append((rank, f"{one}.", pytest.approx(exp(value))))
    found = scoring.scored(" ".join(question), sources, TERMS, names=True)
    assert [(one.number, one.text, one.score) for one in found] == scores


@pytest.mark.parametrize(
    ("question", "sentence", "value"),
    [
        ("when was the kiwi described", "It was described in 1813.", DATE),
        ("when was the kiwi described", "It was described in May.", DATE),
        ("when was the kiwi described", "It may be described.", 0),
        ("what happened in which year after 1813", "In 1813 nothing happened.", 0),
        ("how many eggs does a kiwi lay", "It lays 2 eggs.", NUMBER),
        ("how many eggs does a kiwi lay", "It lays two eggs.", NUMBER),
        ("how many eggs does a kiwi lay", "It lays eggs.", 0),
        ("who described the kiwi", "It was described by George Shaw.", PERSON),
        ("who described the kiwi", "George Shaw described it.", PERSON),
        ("who described the Kiwi", "Nobody described the Kiwi.", 0),
        ("where do kiwis live", "They live in New Zealand.", PLACE),
        ("where do kiwis live in New Zealand", "They live in New Zealand.", 0),
        ("where do kiwis live", "They live in forests.", 0),
        ("Wann wurde der Kiwi beschrieben?", "Er wurde im Jahr 1813 beschrieben.", DATE),
    ],
)
def test_a_sentence_has_what_the_question_asks_for(
    question: str, sentence: str, value: float
) -> None:
    found = expected(question, names=True)
    assert found is not None
    assert found(sentence) == value


def test_nouns_with_capital_letters_are_no_names() -> None:
    found = expected("Wer beschrieb den Kiwi?", names=False)
    assert found is not None
    assert found("Ihn beschrieb ein Forscher.") == 0
    assert found("Ihn beschrieb George Shaw.") == PERSON


def test_other_questions_expect_nothing() -> None:
    assert expected("Can the kiwi fly?", names=True) is None


@pytest.mark.parametrize(
    ("cut", "whole"),
    [
        ("kiwis lay few eggs. They are large.", "Kiwis lay few eggs. They are large."),
        ("They are large. Kiwis lay few", "They are large. Kiwis lay few."),
    ],
)
def test_sentences_that_are_not_complete_have_lower_scores(cut: str, whole: str) -> None:
    def score(text: str) -> float:
        sources = [source(1, text)]
        return max(one.score for one in scoring.scored("kiwi few", sources, TERMS, names=True))

    assert score(cut) == pytest.approx(score(whole) / exp(scoring.CUT))


@pytest.mark.parametrize("row", ["- Kiwis lay eggs", "| Kiwis | lay | eggs |"])
def test_rows_and_items_are_complete_without_punctuation(row: str) -> None:
    text = f"Birds.\n\n{row}"
    *_, last = scoring.scored("kiwis", [source(1, text)], TERMS, names=True)
    complete = scoring.MATCH - scoring.POSITION * log(2)
    assert last.score == pytest.approx(exp(complete))


def test_a_name_that_is_not_in_the_question_is_preferred() -> None:
    text = (
        "Zoe Hart is the heroine of the series Hart of Dixie. Zoe Hart is played by Rachel Bilson."
    )
    generator = load_generator(ExtractiveConfig(sentences=1))
    task = Task("who played Zoe Hart", [Candidate("d", text, 0, len(text), "Dixie")])
    (answer,) = generator.answer([task])
    assert answer.text == "Zoe Hart is played by Rachel Bilson. [1]"


@pytest.mark.parametrize("piece", ["A.", "A-", "A’"])
def test_names_of_many_parts_are_read_in_linear_time(piece: str) -> None:
    person = expected("who was it", names=True)
    assert person is not None
    begun = process_time()
    person(piece * 20_000)
    assert process_time() - begun < 1
    assert person(f"It was {piece}J. Smith.") == PERSON


def test_an_answer_does_not_repeat_itself() -> None:
    text = "Kiwis cannot fly. Kiwis cannot fly at all. Kiwis lay eggs."
    (answer,) = load_generator(ExtractiveConfig()).answer(
        [Task("kiwis", [Candidate("d", text, 0, len(text))])]
    )
    assert answer.text == "Kiwis cannot fly. [1] Kiwis lay eggs. [1]"
