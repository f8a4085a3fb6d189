"""A generator that quotes the first words of the best source, and a background of one text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from twindex.ask import Limits
from twindex.core import UNGUARDED, Guard, Usage
from twindex.core.answers import Source
from twindex.generate import (
    BackgroundConfig,
    GeneratorConfig,
    Task,
    WritingGenerator,
    WrittenBackground,
)
from twindex.llm import Chunk


class QuotingConfig(GeneratorConfig):
    """The first words of the best source."""

    made_by = ".generator:load"

    kind: Literal["quoting"] = "quoting"
    words: int = 2
    """Number of words."""


def load(config: QuotingConfig) -> WritingGenerator:
    return WritingGenerator(
        Quoting(config.words), lambda text: dict.fromkeys(text.lower().split(), 1)
    )


class Quoting:
    """A Writer that needs no model."""

    kind = "quoting"
    limit = None

    def __init__(self, words: int) -> None:
        self._words = words

    def count(self, text: str) -> int:
        return len(text.split())

    def frame(self, task: Task) -> int:
        return self.count(task.question)

    def render(self, source: Source) -> str:
        return source.text

    def write(self, task: Task, sources: Sequence[Source], max_tokens: int) -> Iterator[Chunk]:
        best = next(one for one in sources if one.number)
        yield Chunk(f"{' '.join(best.text.split()[: self._words])} [{best.number}]")
        yield Chunk(" and [99]", "stop", Usage(calls=1))


class EchoConfig(BackgroundConfig):
    """The question as a text."""

    made_by = ".generator:Echo"

    kind: Literal["echo"] = "echo"


class Echo:
    """A Background that needs no model."""

    kind = "echo"

    def __init__(self, config: EchoConfig) -> None:
        pass

    def write(
        self, question: str, limits: Limits | None = None, guard: Guard = UNGUARDED
    ) -> WrittenBackground:
        return WrittenBackground([f"{question} is a question."])
