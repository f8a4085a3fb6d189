"""Answers without a language model: the sentences of the sources that answer the question best.

`scoring` computes the scores. The sentence with the highest score is taken first. Each further
sentence must add words that the answer does not have yet (maximal marginal relevance, Carbonell and
Goldstein, 1998):

    worth(s) = score(s) * (1 - REPEATED * share of the content words of s that the answer has)

The answer ends before a sentence whose worth is less than LEAST times the score of the first. The
answer consists of sentences of the sources, each with its marker. In a sentence, [2] becomes (2),
because [2] would be a marker.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from ...core import InvalidInputError, Usage
from ...core.answers import Source
from ...core.bounds import Bounds
from ...encoders.lexical.config import AnalyzerConfig
from ...encoders.lexical.encoder import LexicalEncoder
from ...llm import Chunk
from ..citing.support import Terms
from ..config import GENERATORS, GeneratorConfig
from ..protocol import Task
from ..writing import REFUSAL, WritingGenerator
from .scoring import Scored, scored

REPEATED = 0.6
"""Relative loss in worth of a sentence whose content words are all in the answer already."""

LEAST = 0.02
"""Minimum worth of a further sentence, relative to the score of the first."""

_WORDS = re.compile(r"\w+")

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
        names = self._config.has_names
        found = scored(task.question, sources, self._terms, names=names)
        ranked = sorted(found, key=lambda one: -one.score)
        chosen: list[Scored] = []
        left = max_tokens
        while len(chosen) < self._config.sentences:
            best = self._next(ranked, chosen, left)
            if best is None:
                break
            chosen.append(best)
            left -= self.count(best.text)
        for position, one in enumerate(chosen):
            yield Chunk(f"{' ' if position else ''}{one.text} [{one.number}]")
        if not ranked:
            yield Chunk(REFUSAL)
        elif not chosen:  # Every sentence is longer than the answer may be.
            words = ranked[0].text.split()[:max_tokens]
            yield Chunk(f"{' '.join(words)} [{ranked[0].number}]")
        yield Chunk("", "stop" if chosen or not ranked else "length", Usage())

    def _next(self, ranked: Sequence[Scored], chosen: Sequence[Scored], left: int) -> Scored | None:
        """Return the best further sentence of at most `left` words.

        Returns None if no other sentence is worth enough; see `LEAST`.
        """
        have = frozenset(term for one in chosen for term in one.terms)
        best, most = None, 0.0
        for one in ranked:
            if one.score <= most:
                break
            if one in chosen or self.count(one.text) > left:
                continue
            repeated = len(one.terms & have) / len(one.terms) if one.terms else 1.0
            worth = one.score * (1 - REPEATED * repeated)
            if worth > most and not (chosen and worth < chosen[0].score * LEAST):
                best, most = one, worth
        return best
