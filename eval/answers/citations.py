"""Precision and recall of the citations of an answer.

Against gold passages: which of the cited documents are judged relevant.

Lexically: the definitions of ALCE (Gao et al., "Enabling large language models to generate text
with citations", 2023), with the share of content words in place of an entailment model. The recall
of a sentence is 1 if the sources that it cites, joined, support it. For a precise citation, the
recall of its sentence must be 1. In addition, the source of the citation must support the sentence
alone, or the other cited sources together must not support it. These values are named `lexical`,
because equal words are not entailment. They are computed from the texts of sources and answer only,
not from the generator's own scores.

There are two differences from ALCE's program. A number that no source has, such as [0], stays in
the denominator of the precision, and a repeated number counts once. A sentence with a number that
no source has gets the recall 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass

MOST = 3
"""Number of citations of a sentence that count, as in ALCE."""

SUPPORTED = 0.7
"""Minimum share of a sentence's content words that a supporting text has."""

_NUMBER = re.compile(r"\d+(?:[.,:/]\d+)*")

Terms = Callable[[str], Mapping[str, int]]
"""Function that returns the content words of a text."""

Supports = Callable[[str, str], bool]
"""Function from a premise and a sentence to whether the premise supports the sentence."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Precision and recall of citations, from 0 to 1."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 if both are 0."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


@dataclass(frozen=True, slots=True)
class CitedSentence:
    """A sentence of an answer, without markers, and the numbers that it cites."""

    text: str
    numbers: Sequence[int]


def gold_citations(cited: Set[str], relevant: Set[str], *, invalid: int = 0) -> Scores:
    """Return precision and recall of the cited documents.

    cited:    ids of the documents that the answer cites.
    relevant: ids of the documents that are judged relevant.
    invalid:  how many different numbers in markers belong to no source. Each of them counts as a
              citation of a document that is not relevant.

    An answer without citations has precision 0.
    """
    right = len(cited & relevant)
    total = len(cited) + invalid
    return Scores(right / total if total else 0.0, right / len(relevant) if relevant else 0.0)


def cited_support(
    sentences: Sequence[CitedSentence],
    sources: Mapping[int, str],
    supports: Supports,
    *,
    most: int | None = MOST,
    invalid: int = 0,
) -> Scores:
    """Return precision and recall of the citations of an answer; see the module.

    sentences: the sentences of the answer.
    sources:   number -> text of each source that was sent.
    supports:  returns whether a text supports a sentence.
    most:      maximum number of citations of a sentence that count; None: all.
    invalid:   number of citations of sources that do not exist, in addition to those in
               `sentences`.

    An answer without sentences or without citations has the value 0.
    """
    recalled = precise = 0
    total = invalid
    for sentence in sentences:
        numbers = list(dict.fromkeys(sentence.numbers))[:most]
        total += len(numbers)
        valid = [number for number in numbers if number in sources]
        if not numbers or len(valid) < len(numbers):
            continue
        if not supports(_joined(valid, sources), sentence.text):
            continue
        recalled += 1
        for number in valid:
            others = [other for other in valid if other != number]
            precise += (
                not others
                or supports(sources[number], sentence.text)
                or not supports(_joined(others, sources), sentence.text)
            )
    return Scores(
        precise / total if total else 0.0, recalled / len(sentences) if sentences else 0.0
    )


def word_support(terms: Terms, least: float = SUPPORTED) -> Supports:
    """Return a function that decides support by content words.

    A premise supports a sentence if it has all numbers of the sentence and enough of its distinct
    content words: their share must be `least` or more. A sentence without content words is never
    supported.

    terms: returns the content words of a text.
    """

    def supports(premise: str, sentence: str) -> bool:
        wanted, known = set(terms(sentence)), set(terms(premise))
        if not wanted or len(wanted & known) < least * len(wanted):
            return False
        return set(_NUMBER.findall(sentence)) <= set(_NUMBER.findall(premise))

    return supports


def _joined(numbers: Sequence[int], sources: Mapping[int, str]) -> str:
    return "\n".join(sources[number] for number in numbers)
