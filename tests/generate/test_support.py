"""Quotes and support, against a short reference; numbers and names; offsets of quotes."""

from __future__ import annotations

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.core.answers import Source
from twindex.encoders.lexical.config import AnalyzerConfig
from twindex.encoders.lexical.encoder import LexicalEncoder
from twindex.generate.citing.support import WORTH, Support, sentences

TERMS = LexicalEncoder(AnalyzerConfig()).count
WORDS = ("kiwi", "emu", "bird", "runs", "the", "Aotearoa", "1,000", "Flügel")
SENTENCES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(
    lambda words: " ".join(words) + "."
)
TEXTS = st.lists(SENTENCES, max_size=5).map(" ".join)
SOURCES = st.lists(st.tuples(TEXTS, st.sampled_from(["", "Kiwi", "Emu birds"])), min_size=1,
                   max_size=3)  # fmt: skip


def support_of(text: str, title: str = "", **options: bool) -> Support:
    return Support([Source(1, "d", text, 0, len(text), title)], TERMS, **options)


@given(SOURCES, SENTENCES)
def test_quote_is_the_best_window(sources: list[tuple[str, str]], statement: str) -> None:
    made = [
        Source(number, f"d{number}", text, 0, len(text), title)
        for number, (text, title) in enumerate(sources, 1)
    ]
    support = Support(made, TERMS)
    every = [text[a:b] for text, _ in sources for a, b in sentences(text)]
    idf = {
        term: log(1 + max(1, len(every)) / (0.5 + sum(term in TERMS(one) for one in every)))
        for term in TERMS(statement)
    }
    for source in made:
        spans = sentences(source.text)
        windows = [
            (spans[first][0], spans[last][1], last - first)
            for first in range(len(spans))
            for last in range(first, min(first + 3, len(spans)))
        ]

        def share(start: int, end: int, source: Source = source) -> float:
            found = {*TERMS(source.title), *TERMS(source.text[start:end])}
            return sum(idf[term] for term in idf if term in found) / (sum(idf.values()) or 1)

        quote = support.quote(source.number, statement)
        assert source.text[quote.start : quote.end] == quote.text
        if windows:
            best = max(share(start, end) - WORTH * more for start, end, more in windows)
            more = next(more for start, end, more in windows if (start, end) ==
                        (quote.start, quote.end))  # fmt: skip
            assert share(quote.start, quote.end) - WORTH * more == pytest.approx(best)
        assert quote.support == pytest.approx(share(quote.start, quote.end), abs=1e-6)


@pytest.mark.parametrize(
    ("statement", "evidence", "missing"),
    [
        ("It costs 1,000 dollars", "1000 dollars", ()),
        ("It costs 1000 dollars", "1,000 dollars", ()),
        ("Es kostet 1.000 Euro", "1000 Euro", ()),
        ("12 000 men", "12,000 men", ()),
        ("3.5 m", "3,5 m", ()),
        ("3.5 m", "35 m", ("3.5",)),
        ("1.5 million", "15 million", ("1.5",)),
        ("10 birds", "1,010 birds", ("10",)),
        ("10 birds", "10.5 birds", ("10",)),
        ("in 1990", "in 1991", ("1990",)),
        ("in 2020", "on 12/05/2020", ()),
        ("in 2020", "am 12.05.2020", ()),
        ("from 1914-1918", "from 1914 to 1918", ()),
        ("from 1914-1919", "from 1914 to 1918", ("1914-1919",)),
        ("5 May", "05 May", ()),
        ("7 eggs", "seven eggs", ()),
        ("١٢ birds", "12 birds", ()),
        ("as Darwin wrote", "Darwin wrote", ()),
        ("as Darwin wrote", "he wrote", ("Darwin",)),
        ("ein schöner Vogel mit großen Augen", "ein Vogel mit Augen", ()),
        ("of Île de Ré", "an island", ("Île", "Ré")),
    ],
)
def test_numbers_and_names_that_are_missing(
    statement: str, evidence: str, missing: tuple[str, ...]
) -> None:
    found = support_of(evidence).quote(1, statement).missing
    assert tuple(one for one in found if one not in ("Euro", "May", "Vogel", "Augen")) == missing


def test_german_nouns_are_not_names() -> None:
    assert support_of("Der Vogel.").quote(1, "Es ist ein Vogel im Wald").missing == ("Wald",)
    assert support_of("Der Vogel.", names=False).quote(1, "Es ist ein Vogel im Wald").missing == ()


def test_title_and_headings_count_as_part_of_the_quote() -> None:
    quote = support_of("It cannot fly.", "Kiwi").quote(1, "The kiwi cannot fly")
    assert quote.support == 1


def test_text_without_sentences_or_words() -> None:
    assert support_of("").quote(1, "Kiwis fly").text == ""
    assert support_of("Kiwis fly.").quote(1, "!!").support == 0
