"""A generator without a model, for tests and experiments."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from ..core import ModelError, Usage
from ..core.answers import Source
from ..core.bounds import Bounds
from ..encoders.lexical.config import AnalyzerConfig
from ..encoders.lexical.encoder import LexicalEncoder
from ..llm import Chunk
from .citing.support import sentences
from .config import GENERATORS, GeneratorConfig
from .protocol import Task
from .safety import harmless
from .writing import WritingGenerator

_PIECE = re.compile(r"\s*\S+|\s+")


@GENERATORS.register
class FakeGeneratorConfig(GeneratorConfig):
    """A generator without a model, for tests and experiments.

    The answer is `text`. Without `text`, the answer is the first sentence of each of the first two
    sources, with a marker of the source. If there are only generated texts, the answer is the first
    sentence of each of the first two, without markers. The answer is written word by word. A word
    counts as a token.
    """

    made_by = ".fake:load"

    kind: Literal["fake"] = "fake"
    text: str | None = None
    """Text that the generator writes, with markers such as [1]; "No answer." is a refusal."""
    milliseconds: Annotated[float, Bounds(0, 86_400_000)] = 0.0
    """Milliseconds to wait before each word."""
    fails_at: Annotated[int, Bounds(0, 1_000_000)] | None = None
    """Number of words after which the generator fails; None = it never fails."""


def load(config: FakeGeneratorConfig) -> WritingGenerator:
    """Return a fake generator. Raises ConfigError for an unknown language."""
    terms = LexicalEncoder(AnalyzerConfig(language=config.language)).count
    return WritingGenerator(FakeWriter(config), terms, config.entails(), names=config.has_names)


class FakeWriter:
    """Writes a fixed text word by word. See `FakeGeneratorConfig`."""

    kind = "fake"
    limit = None

    def __init__(self, config: FakeGeneratorConfig | None = None) -> None:
        self._config = config or FakeGeneratorConfig()

    def count(self, text: str) -> int:
        """Return the number of words of a text."""
        return len(text.split())

    def frame(self, task: Task) -> int:
        """Return the number of words of the question and the earlier turns."""
        return sum(
            self.count(text) for text in (task.question, *(one.content for one in task.turns))
        )

    def render(self, source: Source) -> str:
        """Return the title and the text of a source."""
        return f"{source.title}\n{source.text}"

    def write(self, task: Task, sources: Sequence[Source], max_tokens: int) -> Iterator[Chunk]:
        """Yield the text word by word, at most `max_tokens` words."""
        text = self._config.text
        pieces = _PIECE.findall(_first_sentences(sources) if text is None else text)
        for number, piece in enumerate([*pieces[:max_tokens], None]):
            if number == self._config.fails_at:
                raise ModelError(
                    f"the fake generator fails after {number} words, as set in `fails_at`"
                )
            if piece is not None:
                time.sleep(self._config.milliseconds / 1e3)
                yield Chunk(piece)
        read = self.frame(task) + sum(self.count(self.render(one)) for one in sources)
        usage = Usage(calls=1, prompt_tokens=read, completion_tokens=min(len(pieces), max_tokens))
        yield Chunk("", "length" if len(pieces) > max_tokens else "stop", usage)


def _first_sentences(sources: Sequence[Source]) -> str:
    found = []
    documents = [source for source in sources if source.kind == "document"]
    for source in (documents or list(sources))[:2]:
        start, end = next(iter(sentences(source.text)), (0, 0))
        sentence = " ".join(harmless(source.text[start:end]).replace("`", "'").split())
        found.append(f"{sentence} [{source.number}]" if source.number else sentence)
    return " ".join(found)
