"""Answers without a language model: the sentences of the sources that answer the question best.

A sentence is scored by the question's content words in it and, with less weight, in the sentences
beside it, the title and the headings:

    score(s) = place(s) * sum over content words t of the question of idf(t) * presence(t, s)
    presence = 1 if t is in s; BESIDE if t is in the sentence before or after s, in the title or in
               the headings; else 0
    place(s) = 1 / (1 + DECAY * (r - 1)) for a sentence of the source with the best rank r

The sentence with the highest score is taken first. Each further sentence must add words that the
answer does not have yet (maximal marginal relevance, Carbonell and Goldstein, 1998). If a question
asks for a number, a date, a person or a place, sentences that contain a number or a name have a
higher score. The answer consists of sentences of the sources, each with its marker. Rows of tables
and items of lists count as sentences. Headings, code and the header rows of tables are left out.

The words of a sentence are unchanged, but its Markdown changes. Links become their text, and the
marks around rows and items are left out. [2] becomes (2), because [2] would be a marker.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from ...core import InvalidInputError, Usage
from ...core.answers import Source
from ...core.bounds import Bounds
from ...encoders.lexical.config import AnalyzerConfig
from ...encoders.lexical.encoder import LexicalEncoder
from ...llm import Chunk
from ...sources.structure import outline
from ..citing.support import Support, Terms, sentences
from ..config import GENERATORS, GeneratorConfig
from ..protocol import Task
from ..safety import harmless
from ..writing import REFUSAL, WritingGenerator

BESIDE = 0.5
"""Weight of a word that is not in a sentence, but beside it or above it."""

DECAY = 1.0
"""Decrease of the weight of a source with its rank: see `place` in the module."""

EXPECTED = 0.35
"""Relative gain in score of a sentence that contains what the question asks for: a number or name.
"""

REPEATED = 0.7
"""Relative loss in score of a sentence whose content words are all in the answer already."""

_WORDS = re.compile(r"\w+")
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
_ASKS_NUMBER = re.compile(
    r"\b(?:when|how\s+(?:many|much|long|old|far|tall|high|large|big|often)|what\s+(?:year|date|day"
    r"|number|percentage|age)|which\s+year|wann|wie\s*viele?)\b",
    re.IGNORECASE,
)
_ASKS_NAME = re.compile(r"\b(?:who|whom|whose|where|which\s+(?:city|country)|wer|wo)\b", re.I)
_HAS_NUMBER = re.compile(r"\d")
_HAS_NAME = re.compile(r"(?<=[\w,;:] )[A-ZÀ-ÖØ-Þ]\w+")


NO_BACKGROUND = (
    "an extractive generator copies sentences of passages, and generated texts cannot be cited; "
    "leave `background` out, or use a generator with a language model"
)
"""Error for a task with generated texts."""


@GENERATORS.register
class ExtractiveConfig(GeneratorConfig):
    """The best sentences of the sources, word for word. Requires no model."""

    made_by = ".extractive:load"
    reads_background = False

    kind: Literal["extractive"] = "extractive"
    sentences: Annotated[int, Bounds(1, 100)] = 2
    """Maximum number of sentences of an answer."""


def load(config: ExtractiveConfig) -> WritingGenerator:
    """Return an extractive generator. Raises ConfigError for an unknown language."""
    terms = LexicalEncoder(AnalyzerConfig(language=config.language)).count
    writer = ExtractiveWriter(config, terms)
    return WritingGenerator(writer, terms, config.entails(), names=config.has_names)


@dataclass(frozen=True, slots=True)
class _Sentence:
    number: int
    text: str
    words: int
    terms: frozenset[str]
    score: float


class ExtractiveWriter:
    """Writes answers from sentences of the sources. The module describes how they are chosen.

    config: options, such as the maximum number of sentences.
    terms:  function that returns the content words of a text.
    """

    kind = "extractive"
    limit = None

    def __init__(self, config: ExtractiveConfig, terms: Terms) -> None:
        self._config = config
        self._terms = terms

    def count(self, text: str) -> int:
        """Return the number of words of a text."""
        return len(_WORDS.findall(text))

    def frame(self, task: Task) -> int:
        """Return 0: there is no prompt. Raises InvalidInputError for a task with background."""
        if task.background:
            raise InvalidInputError(NO_BACKGROUND, field="background")
        return 0

    def render(self, source: Source) -> str:
        """Return the text of a source."""
        return source.text

    def write(self, task: Task, sources: Sequence[Source], max_tokens: int) -> Iterator[Chunk]:
        """Yield the chosen sentences, each with its marker.

        Yields `REFUSAL` if no sentence has a content word of the question. If every such sentence
        is longer than `max_tokens` words, yields the start of the best sentence.
        """
        ranked = sorted(self._scored(task.question, sources), key=lambda one: -one.score)
        chosen: list[_Sentence] = []
        left = max_tokens
        while len(chosen) < self._config.sentences:
            best = self._next(ranked, chosen, left)
            if best is None:
                break
            chosen.append(best)
            left -= best.words
        for position, one in enumerate(chosen):
            yield Chunk(f"{' ' if position else ''}{one.text} [{one.number}]")
        if not ranked:
            yield Chunk(REFUSAL)
        elif not chosen:  # Every sentence is longer than the answer may be.
            words = ranked[0].text.split()[:max_tokens]
            yield Chunk(f"{' '.join(words)} [{ranked[0].number}]")
        yield Chunk("", "stop" if chosen or not ranked else "length", Usage())

    def _next(
        self, ranked: Sequence[_Sentence], chosen: Sequence[_Sentence], left: int
    ) -> _Sentence | None:
        """Return the best further sentence of at most `left` words.

        Returns None if no other sentence adds enough: a quarter of the first sentence's score.
        """
        have = frozenset(term for one in chosen for term in one.terms)
        best, most = None, 0.0
        for one in ranked:
            if one.score <= most:
                break
            if one.words > left or one in chosen:
                continue
            repeated = len(one.terms & have) / len(one.terms) if one.terms else 1.0
            worth = one.score * (1 - REPEATED * repeated)
            if worth > most and not (chosen and worth < chosen[0].score / 4):
                best, most = one, worth
        return best

    def _scored(self, question: str, sources: Sequence[Source]) -> Iterator[_Sentence]:
        """Yield the sentences that have a content word of the question, with their scores."""
        support = Support(sources, self._terms)
        weights = {term: support.idf(term) for term in self._terms(question)}
        expected = _expected(question)
        for source in sources:
            above = frozenset(self._terms(" ".join((source.title, *source.headings))))
            place = 1 / (1 + DECAY * (min(source.ranks, default=1) - 1))
            spans = list(_statements(source.text))
            terms = [frozenset(self._terms(source.text[start:end])) for start, end in spans]
            for i, (start, end) in enumerate(spans):
                plain = _plain(source.text[start:end])
                text = _paired(" ".join(harmless(plain).split()))
                beside = above.union(*terms[max(0, i - 1) : i], *terms[i + 1 : i + 2])
                score = place * _presence(weights, terms[i], beside)
                if expected is not None and expected.search(text):
                    score *= 1 + EXPECTED
                if score > 0 and terms[i] and text:
                    yield _Sentence(source.number, text, self.count(text), terms[i], score)


def _statements(text: str) -> Iterator[tuple[int, int]]:
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


def _presence(weights: Mapping[str, float], own: frozenset[str], beside: frozenset[str]) -> float:
    return sum(
        weight * (1.0 if term in own else BESIDE if term in beside else 0.0)
        for term, weight in weights.items()
    )


def _expected(question: str) -> re.Pattern[str] | None:
    """Return a pattern of the number or name that the question asks for; None if unknown."""
    if _ASKS_NUMBER.search(question):
        return _HAS_NUMBER
    return _HAS_NAME if _ASKS_NAME.search(question) else None
