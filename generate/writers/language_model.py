"""Answers by a language model, on this machine or on an OpenAI-compatible server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Literal, cast

from ...ask import LanguageModelConfig
from ...ask.loading import load_llm
from ...ask.reading import Reader
from ...core import ConfigError
from ...core.answers import Source
from ...core.closing import close_iterator
from ...core.config import Flag
from ...encoders.lexical.config import AnalyzerConfig
from ...encoders.lexical.encoder import LexicalEncoder
from ...llm import Chunk, GenerativeModel, LanguageModel, Sampling
from ...llm.protocol import unsupported
from ..config import GENERATORS, GeneratorConfig
from ..protocol import Task
from ..safety import WrittenText, new_boundary
from ..writing import WritingGenerator
from .prompts import conversation, source_text

_BOUNDARY = "=== 7f3a9c0e5b1d ==="
"""A boundary for counting tokens. Because letters and digits alternate, no random boundary has more
tokens."""


@GENERATORS.register
class LanguageModelGeneratorConfig(GeneratorConfig):
    """A language model writes the answer and cites its sources."""

    made_by = ".language_model:load"

    kind: Literal["language_model"] = "language_model"
    llm: LanguageModelConfig = LanguageModelConfig()
    """The language model: fields of `LanguageModelConfig`."""
    datamarking: Flag = False
    """Replace spaces in sources by a mark. Large models then follow instructions in sources less
    often. Small models then answer worse."""


def load(config: LanguageModelGeneratorConfig) -> WritingGenerator:
    """Load a generator and its language model.

    Raises ConfigError for an invalid option and for a model without a chat template, ModelError if
    the model cannot be loaded, and UnsupportedError if the model cannot generate text.
    """
    return generator(config, load_llm(config.llm))


def generator(
    config: LanguageModelGeneratorConfig,
    model: LanguageModel,
    boundary: Callable[[], str] = new_boundary,
) -> WritingGenerator:
    """Return a generator that answers with a language model of your own.

    boundary: function that returns the line between instructions and sources. Tests pass a function
              that always returns the same line.

    Raises UnsupportedError if the model cannot generate text, and ConfigError if it has no chat
    template or if the language is unknown.
    """
    terms = LexicalEncoder(AnalyzerConfig(language=config.language)).count
    writer = LanguageModelWriter(config, model, boundary)
    return WritingGenerator(writer, terms, config.entails(), names=config.has_names)


class LanguageModelWriter:
    """Writes answers with a language model. See `generator`."""

    kind = "language_model"

    def __init__(
        self,
        config: LanguageModelGeneratorConfig,
        model: LanguageModel,
        boundary: Callable[[], str] = new_boundary,
    ) -> None:
        if "generate" not in model.capabilities:
            raise unsupported(model, "generate")
        self._model = cast(GenerativeModel, model)
        self._reader = Reader(model, passage_tokens=1)
        if not self._reader.chats:
            raise ConfigError(
                f"model {model.name!r} has no chat template, but answers require one; use a model "
                "that was trained for conversations (often named -Instruct)",
                field="llm.model",
            )
        self._marked = config.datamarking
        self._boundary = boundary

    @property
    def limit(self) -> int | None:
        """Maximum number of tokens of a prompt and its answer together."""
        return getattr(self._model, "limit", None)

    def count(self, text: str) -> int:
        """Return the number of tokens of a text; for a model on a server, an estimate."""
        return self._reader.count(text)

    def frame(self, task: Task) -> int:
        """Return the number of tokens of the prompt without sources."""
        return self._reader.whole(conversation(task, (), _BOUNDARY, marked=self._marked))

    def render(self, source: Source) -> str:
        """Return a source as the prompt contains it."""
        return source_text(source, _BOUNDARY, marked=self._marked)

    def write(self, task: Task, sources: Sequence[Source], max_tokens: int) -> Iterator[Chunk]:
        """Yield the text that the model generates, without tokens of chat templates."""
        prompt = conversation(task, sources, self._boundary(), marked=self._marked)
        options = task.options
        sampling = Sampling(
            max_tokens=max_tokens, temperature=options.temperature, seed=options.seed
        )
        pieces, written = self._model.stream(prompt, sampling), WrittenText()
        try:
            for piece in pieces:
                last = piece.finish is not None
                text = written.feed(piece.text) + (written.close() if last else "")
                yield replace(piece, text=text)
        finally:
            close_iterator(pieces)
