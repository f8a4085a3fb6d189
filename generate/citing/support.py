"""How well a source supports a statement, without a model.

support = sum of idf(t) over content words t of the statement that the quote contains
          / sum of idf(t) over all content words of the statement
idf(t)  = ln(1 + S / (0.5 + s_t)), with S sentences in all sources, s_t of which contain t

Content words are stems without stopwords. Of all runs of one to three sentences of the source, the
quote is the run with the largest support. Of several runs with equal support, the shortest is the
quote; of equally short ones, the first. Words of the source's title and headings count as part of
the quote, because the generator read them too.

A number or name of the statement that is not in the quote, the title or the headings is `missing`.
Weighted word overlap is one of the measures that Honovich et al., "TRUE: Re-evaluating factual
consistency evaluation" (2022), compare. Overlap hardly notices a wrong number or name, so these are
checked separately.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import log

from ...core.answers import Quote, Source
from ...encoders.passages.units import unit_offsets
from ...sources.structure import Outline, outline
from ..context.building import Place
from .entailing import Entails

MOST_SENTENCES = 3
"""Maximum number of sentences of a quote."""

WORTH = 0.05
"""Minimum support, from 0 to 1, that each further sentence of a quote must add."""

Terms = Callable[[str], Mapping[str, int]]
"""Function that returns the content words of a text, such as `LexicalEncoder.count`."""

_NUMBER = re.compile(r"\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?!\d)|\d+(?:[.,:/’'-]\d+)*")
_THOUSANDS = re.compile(r"(?<=\d)[,.’'\s](?=\d{3}(?!\d))")
_BETWEEN = re.compile(r"[\s:/-]|\.(?=\d+\.\d)|(?<=\.\d)\.|(?<=\.\d\d)\.")
"""A character between the parts of a date, a time or a range."""
_NAME = re.compile(r"(?<=[\w,;:’'\"”)] )[^\W\d_]{2,}")
"""A word that does not begin a sentence. With a capital letter, it is a name."""
_WORDS = "zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
_SMALL = {word: str(value) for value, word in enumerate(_WORDS.split("|"))}
"""English number words: a source may write "seven" where the statement has 7."""
_SMALL_WORD = re.compile(rf"\b(?:{_WORDS})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Sentence:
    start: int
    end: int
    terms: frozenset[str]


class Support:
    """Finds the quote of a source that supports a statement best.

    sources: the sources of an answer.
    terms:   function that returns the content words of a text.
    entails: an entailment model; None: no entailment is computed.
    names:   True: a word with a capital letter inside a sentence is a name. False for German, in
             which all nouns have a capital letter.
    places:  number of a source -> start, page and headings of each of its passages. A quote of a
             source without places has the page and headings of the source.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        terms: Terms,
        entails: Entails | None = None,
        *,
        names: bool = True,
        places: Mapping[int, Sequence[Place]] | None = None,
    ) -> None:
        self._names = names
        self._places = places or {}
        self._sources = {source.number: source for source in sources if source.number}
        self._terms = terms
        self._entails = entails
        self.truncated = 0
        """Number of quotes or statements that the entailment model did not read to their end."""

    @property
    def numbers(self) -> Sequence[int]:
        """Return the numbers of the sources."""
        return list(self._sources)

    @cached_property
    def _sentences(self) -> Mapping[int, Sequence[_Sentence]]:
        return {
            number: [
                _Sentence(start, end, frozenset(self._terms(source.text[start:end])))
                for start, end in sentences(source.text)
            ]
            for number, source in self._sources.items()
        }

    @cached_property
    def _frequencies(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for sentence in self._all:
            found.update(sentence.terms)
        return found

    @cached_property
    def _all(self) -> Sequence[_Sentence]:
        return [one for own in self._sentences.values() for one in own]

    def idf(self, term: str) -> float:
        """Return the inverse document frequency of a content word, as the module defines it."""
        return log(1 + max(1, len(self._all)) / (0.5 + self._frequencies[term]))

    def quote(self, number: int, statement: str) -> Quote:
        """Return the quote of the source `number` that supports a statement best.

        A statement without content words, such as "Yes", has the support 0.
        """
        source = self._sources[number]
        above = " ".join((source.title, *source.headings))
        known = frozenset(self._terms(above))
        weights = {term: self.idf(term) for term in self._terms(statement)}
        total = sum(weights.values())
        best = (-2.0, 0, 0)
        own = self._sentences[number]
        for first in range(len(own)):
            terms = known
            for last in range(first, min(first + MOST_SENTENCES, len(own))):
                terms = terms | own[last].terms
                share = sum(weights[t] for t in weights if t in terms) / total if total else 0.0
                worth = share - WORTH * (last - first)
                if worth > best[0] + 1e-9:
                    best = (worth, first, last)
        _, first, last = best
        start, end = (own[first].start, own[last].end) if own else (0, 0)
        text = source.text[start:end]
        found = known | frozenset(t for one in own[first : last + 1] for t in one.terms)
        support = sum(weights[t] for t in weights if t in found) / total if total else 0.0
        place = self._place(source, source.start + start)
        return Quote(
            number=number,
            id=source.id,
            start=source.start + start,
            end=source.start + end,
            text=text,
            support=round(support, 6),
            missing=self._missing(statement, f"{above} {text}", found),
            page=place.page,
            headings=place.headings,
        )

    def entailed(self, quotes: Sequence[tuple[Quote, str]]) -> list[Quote]:
        """Return quotes with their `entailment`: how probably each entails its statement.

        The entailment model reads all pairs of a quote and a statement in one call. Before the
        quote, it reads the title and the headings of the source. Without such a model, the quotes
        are returned unchanged.
        """
        if self._entails is None:
            return [quote for quote, _ in quotes]
        found = self._entails([(self._premise(quote), said) for quote, said in quotes])
        self.truncated += sum(one.truncated for one in found)
        return [
            replace(quote, entailment=one.probability)
            for (quote, _), one in zip(quotes, found, strict=True)
        ]

    def _premise(self, quote: Quote) -> str:
        source = self._sources[quote.number]
        above = " > ".join(dict.fromkeys(filter(None, (source.title, *quote.headings))))
        return f"{above}\n{quote.text}" if above else quote.text

    def _place(self, source: Source, at: int) -> Source | Place:
        """Return the passage at a position of the document; without places, the whole source."""
        places = self._places.get(source.number, ())
        before = bisect_right(places, at, key=lambda place: place.start)
        return places[max(0, before - 1)] if places else source

    def _missing(self, statement: str, evidence: str, found: frozenset[str]) -> tuple[str, ...]:
        """Return the numbers and names of a statement that the evidence does not contain."""
        known = {form for one in _NUMBER.findall(evidence) for form in _forms(one)}
        known.update(_SMALL[one.lower()] for one in _SMALL_WORD.findall(evidence))
        numbers = _NUMBER.findall(statement)
        missing = [
            one
            for one in numbers
            if known.isdisjoint(_whole_forms(one))
            and any(known.isdisjoint(_whole_forms(part)) for part in _BETWEEN.split(one))
        ]
        for name in _NAME.findall(statement) if self._names else ():
            if name == name.lower():
                continue
            terms = self._terms(name)
            if terms and not set(terms) <= found:
                missing.append(name)
        return tuple(dict.fromkeys(missing))


def sentences(text: str, structure: Outline | None = None) -> list[tuple[int, int]]:
    """Return (start, end) of each sentence of a text, without white space around the sentence.

    In Markdown, a row of a table, a line of code and an item of a list count as sentences too.

    structure: the outline of the text; None: the function makes it.
    """
    ends = [*sorted(unit_offsets(text, structure or outline(text))), len(text)]
    found, start = [], 0
    for end in ends:
        part = text[start:end]
        if stripped := part.strip():
            begin = start + len(part) - len(part.lstrip())
            found.append((begin, begin + len(stripped)))
        start = end
    return found


def _whole_forms(number: str) -> set[str]:
    """Return the ways to write a number: with points, without separators of thousands, ..."""
    plain = _THOUSANDS.sub("", number)
    decimal = plain.replace(",", ".")
    return {"".join(map(_digit, one)).lstrip("0") or "0" for one in (number, plain, decimal)}


def _forms(number: str) -> set[str]:
    """Return the forms of a number, and those of its parts, such as the year of a date."""
    return _whole_forms(number).union(*map(_whole_forms, _BETWEEN.split(number)))


def _digit(character: str) -> str:
    """Return the ASCII form of a digit of any script; any other character unchanged."""
    value = unicodedata.decimal(character, None)
    return character if value is None else str(value)
