"""The sentences of sources, and how well each of them answers a question.

The score of a sentence s is log-linear:

    ln score(s) = MATCH * cover(s) - RANK * ln(r) - POSITION * ln(p) - CUT * cut(s) + expected(s)
    cover(s)    = sum over content words t of the question of idf(t) * presence(t, s)
                  / sum over content words t of the question of idf(t)
    presence    = 1 if t is in s; else ABOVE if t is in the title or the headings; else BESIDE if t
                  is in the sentence before s; else 0
    idf(t)      = ln(1 + S / (0.5 + s_t)), with S sentences in all sources, s_t of which contain t
    r           = best rank of the source
    p           = position of s among the sentences of its source, from 1
    cut(s)      = 1 if s is cut by the start or the end of its source, else 0
    expected(s) = DATE, NUMBER, PERSON or PLACE if the question asks for one, and s has one that is
                  not in the question, else 0; see `expected`

The answer of a question is more often in the first sentences of a passage, and in the passages that
the search ranks first. The constants are rounded weights of a maximum-likelihood fit of
softmax(ln score) to the sentences that contain an answer, on halves of three sets of questions;
the benchmark `extractive` measures the other halves. Yih, Chang, Meek and Pastusiak (2013) select
sentences with such a model, with features of words and of the expected answer.

Rows of tables and items of lists count as sentences. Headings, code and the header rows of tables
are left out. The words of a sentence are unchanged, but its Markdown changes. Links become their
text, and the marks around rows and items are left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from math import exp, log

from ...core.answers import Source
from ...sources.structure import outline
from ..citing.support import Terms, sentences
from ..safety import harmless
from .expected import expected

MATCH = 5.0
"""Weight of the question's content words."""

ABOVE = 0.8
"""Presence of a word that is not in a sentence, but in the title or the headings."""

BESIDE = 0.1
"""Presence of a word that is only in the sentence before."""

RANK = 3.0
"""Decrease with the rank of the source: rank 2 has the score of rank 1 divided by 2 ** RANK."""

POSITION = 0.35
"""Decrease with the position of a sentence in its source."""

CUT = 1.4
"""Decrease for a sentence that is not complete."""

_LETTERS = re.compile(r"[^\W\d_]+")
_HEADING = re.compile(r"^\s{0,3}#{1,6}[^\S\n][^\n]*(?:\n|\Z)", re.MULTILINE)
"""A heading of Markdown, which is not part of an answer."""
_MARK = re.compile(r"\A[-+*]\s+")
"""The mark of an item of a list, at the start of a text."""
_LINK = re.compile(r"!?\[([^\[\]\n]{1,200})\]\([^()\s]{1,500}\)")
_BREAK = re.compile(r"<br ?/?>", re.IGNORECASE)
_BELOW_HEADER = re.compile(r"\s*\n[ ]{0,3}\|?[ ]{0,3}:?-[-:| \t]*(?:\n|\Z)")
"""The line below the header row of a table."""
_DIRECTIVE = ":::"
"""The start of a line that a generator of pages replaces."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A sentence of a source.

    number: number of the source.
    text:   the sentence as an answer contains it.
    terms:  content words.
    score:  how well the sentence answers the question; see the module.
    """

    number: int
    text: str
    terms: frozenset[str]
    score: float


@dataclass(frozen=True, slots=True)
class _Statement:
    raw: str
    text: str
    terms: frozenset[str]


def scored(
    question: str, sources: Sequence[Source], terms: Terms, *, names: bool
) -> Iterator[Scored]:
    """Yield the sentences of the sources, with their scores, in the order of the sources.

    A sentence without a content word of the question in it, before it or above it is left out.

    terms: function that returns the content words of a text.
    names: True: a word with a capital letter inside a sentence is a name. False for German.
    """
    of_source = [[_statement(source, span, terms) for span in _spans(source.text)]
                 for source in sources]  # fmt: skip
    idf = _inverse_frequencies(terms(question), [one.terms for own in of_source for one in own])
    awaited = expected(question, names=names)
    for source, own in zip(sources, of_source, strict=True):
        above = frozenset(terms(" ".join((source.title, *source.headings))))
        rank = log(min(source.ranks, default=1))
        before: Set[str] = frozenset()
        for position, one in enumerate(own, 1):
            cover = _cover(idf, one.terms, above, before)
            before = one.terms
            if not (cover and one.terms and one.text):
                continue
            score = MATCH * cover - RANK * rank - POSITION * log(position)
            if _is_cut(one, first=position == 1, last=position == len(own)):
                score -= CUT
            if awaited is not None:
                score += awaited(one.text)
            yield Scored(source.number, one.text, one.terms, exp(score))


def _statement(source: Source, span: tuple[int, int], terms: Terms) -> _Statement:
    raw = source.text[slice(*span)]
    text = _paired(" ".join(harmless(_plain(raw)).split()))
    return _Statement(raw, text, frozenset(terms(raw)))


def _inverse_frequencies(
    wanted: Iterable[str], statements: Sequence[Set[str]]
) -> Mapping[str, float]:
    """Return the idf of the question's content words; see the module."""
    found = Counter(term for term in wanted for own in statements if term in own)
    return {term: log(1 + len(statements) / (0.5 + found[term])) for term in wanted}


def _cover(idf: Mapping[str, float], own: Set[str], above: Set[str], before: Set[str]) -> float:
    """Return the share of the question's content words that a sentence has; see the module."""
    total = sum(idf.values())
    if not total:
        return 0.0
    present = sum(
        weight * (1 if term in own else ABOVE if term in above else BESIDE * (term in before))
        for term, weight in idf.items()
    )
    return present / total


def _is_cut(one: _Statement, *, first: bool, last: bool) -> bool:
    """Return True if only a part of a sentence is in its source.

    Such a sentence is the first one and begins with a lower-case letter, or it is the last one and
    ends without punctuation. Rows and items need no punctuation. A source of one sentence is never
    cut.
    """
    if first == last or one.raw.startswith("|") or _MARK.match(one.raw):
        return False
    return one.text[0].islower() if first else one.text[-1].isalnum() or one.text[-1] in ",;:"


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of each sentence of a text.

    Leaves out code, directives, header rows of tables, and rows with fewer than three words.
    """
    found = outline(text)
    for start, end in sentences(text, found):
        if text.startswith(_DIRECTIVE, start) or found.is_code(start):
            continue
        if text.startswith("|", start) and (
            _BELOW_HEADER.match(text, end) or len(_LETTERS.findall(text, start, end)) < 3
        ):
            continue
        yield start, end


def _plain(sentence: str) -> str:
    """Return a sentence without headings, links, line breaks and the marks of a row or an item."""
    text = _LINK.sub(r"\1", _BREAK.sub(" ", _HEADING.sub("", sentence))).strip()
    return text.strip("| \t\n") if text.startswith("|") else _MARK.sub("", text)


def _paired(text: str) -> str:
    """Return a sentence without backticks that have no partner.

    Such a backtick would begin code that contains the marker behind the sentence.
    """
    runs = re.findall("`+", text)
    return text.replace("`", "'") if len(runs) % 2 or len(set(runs)) > 1 else text
