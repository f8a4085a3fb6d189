"""Asks a language model for texts to search, within limits, and remembers its answers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from json import dumps
from typing import Annotated, Self, cast

from ...ask import Cost, Course, Judgement, LanguageModelConfig, Limits, Outcome, Rounds, digest
from ...ask.loading import load_language_model
from ...ask.reading import Reader
from ...core import UNGUARDED, ConfigError, Guard
from ...core.bounds import Bounds, Seed
from ...core.config import Device
from ...encoders.lexical.config import AnalyzerConfig
from ...encoders.lexical.encoder import LexicalEncoder
from ...llm import GenerativeModel, LanguageModel, Sampling
from ...llm.protocol import unsupported
from ..safety import harmless
from .cleaning import Cleaned, Cleaner
from .config import RewriterConfig
from .protocol import Question, Rewrites, RewrittenText, TextKind

TURN_TOKENS = 256
"""Maximum number of tokens of a turn that a prompt contains."""

REMEMBERED = 10_000
"""Maximum number of answers that a rewriter remembers."""

Prompt = Callable[[str, Sequence[tuple[str, str]]], str]
"""Function from a question and earlier turns, (role, text), to the message for the model."""


class LanguageModelRewriterConfig(RewriterConfig):
    """Base of the configurations of rewriters that prompt a language model."""

    llm: LanguageModelConfig = LanguageModelConfig()
    """The language model: fields of `LanguageModelConfig`."""
    language: str = "en"
    """Language of the queries, which selects stemmer and stopwords to notice texts that say nothing
    new: an ISO 639-1 code, or "none"."""
    max_tokens: Annotated[int, Bounds(1, 100_000)] = 128
    """Maximum number of tokens of one answer of the model."""
    temperature: Annotated[float, Bounds(0, 10)] = 0.0
    """Randomness of the texts; 0 = always the most likely token."""
    seed: Seed = 0
    """Seed of the sampling."""

    def on(self, device: Device) -> Self:
        return self.model_copy(update={"llm": self.llm.model_copy(update={"device": device})})


@dataclass(frozen=True, slots=True)
class Method:
    """How a kind of rewriter prompts a model, and reads its answers.

    prompt:  returns the message for the model.
    version: version of the prompt. A changed prompt has another version.
    kind:    kind of the texts.
    samples: number of answers of the model to the prompt, each with a seed of its own.
    most:    maximum number of texts that are kept. None: an answer is one passage. A number: an
             answer has a query in each line.
    example: texts of the prompt's example, which the model may copy.
    turns:   maximum number of earlier turns in the prompt. If not 0, the rewriter needs earlier
             turns, and a text must share a word with the question or the turns.
    """

    prompt: Prompt
    version: int
    kind: TextKind
    samples: int = 1
    most: int | None = None
    example: Sequence[str] = ()
    turns: int = 0


@dataclass(frozen=True, slots=True)
class _Draft:
    """A question to the model: a message, and the seed of the answer."""

    message: str
    seed: int


class PromptingRewriter:
    """A rewriter that prompts a language model.

    model: a language model of your own; None: load the one that the configuration describes.

    The answers of the model are remembered by its fingerprint, the version of the prompt, the
    question and the seed.

    Raises ConfigError for an invalid option, ModelError if the model cannot be loaded, and
    UnsupportedError if it cannot generate text.
    """

    def __init__(
        self,
        config: LanguageModelRewriterConfig,
        method: Method,
        model: LanguageModel | None = None,
    ) -> None:
        self.kind = config.kind
        self._method = method
        self._seed = config.seed
        terms = LexicalEncoder(AnalyzerConfig(language=config.language)).count
        self._terms = terms
        self._cleaner = Cleaner(terms, method.example)
        judge = _Judge(config, method.version, _loaded(config) if model is None else model)
        self._reader = judge.reader
        self._rounds: Rounds[_Draft, str] = Rounds(
            judge, model="the model of the rewriter", remembered=REMEMBERED
        )

    def rewrite(
        self,
        questions: Sequence[Question],
        limits: Limits | None = None,
        guard: Guard = UNGUARDED,
    ) -> list[Rewrites]:
        """See `Rewriter.rewrite`."""
        found = self._rounds.run([self._course(one) for one in questions], limits, guard)
        return [
            Rewrites(
                one.result or (),
                one.status,
                one.usage,
                one.seconds,
                one.warnings,
                self._method.version,
                one.error,
            )
            for one in found
        ]

    def _course(self, question: Question) -> Course[_Draft, str, Sequence[RewrittenText]]:
        method = self._method
        turns = question.turns[-method.turns :] if method.turns else ()
        if method.turns and not turns:
            return Outcome((), warnings=["the conversation has no earlier turns"])
        message = method.prompt(
            self._reader.query(harmless(question.text)).text,
            [(turn.role, self._reader.passage(harmless(turn.content)).text) for turn in turns],
        )
        drafts = [_Draft(message, (self._seed + n) % 2**32) for n in range(method.samples)]
        answers = [text for text in (yield drafts) if text is not None]
        found = self._cleaned(question.text, answers)
        warnings = found.warnings
        if turns:
            said = {term for turn in turns for term in self._terms(turn.content)}
            related = said | set(self._terms(question.text))
            kept = [text for text in found.texts if related & set(self._terms(text))]
            if len(kept) < len(found.texts):
                warnings.append("the model wrote a question that has no word of the conversation")
            found.texts = kept
        return Outcome([RewrittenText(text, method.kind) for text in found.texts], True, warnings)

    def _cleaned(self, question: str, answers: Sequence[str]) -> Cleaned:
        if self._method.most is None:
            return self._cleaner.passages(question, answers)
        return self._cleaner.queries(question, answers, self._method.most)


class _Judge:
    """Gets texts from a language model."""

    def __init__(
        self, config: LanguageModelRewriterConfig, version: int, model: LanguageModel
    ) -> None:
        if "generate" not in model.capabilities:
            raise unsupported(model, "generate")
        self._model = cast(GenerativeModel, model)
        self.reader = Reader(model, TURN_TOKENS)
        self._max_tokens = config.max_tokens
        self._temperature = config.temperature
        model_id = dumps(dict(model.fingerprint), sort_keys=True, default=str)
        options = (config.kind, version, config.max_tokens, config.temperature)
        self._key = digest(f"{model_id}\0{options}")

    def costs(self, questions: Sequence[_Draft]) -> list[Cost]:
        sizes: dict[str, int] = {}
        for one in questions:
            if one.message not in sizes:
                sizes[one.message] = self.reader.whole(self.reader.prompt(one.message))
        return [Cost(1, sizes[one.message] + self._max_tokens) for one in questions]

    def key(self, question: _Draft) -> Hashable:
        return self._key, digest(question.message), question.seed if self._temperature else 0

    def ask(self, questions: Sequence[_Draft]) -> list[Judgement[str]]:
        found: dict[int, Judgement[str]] = {}
        for seed in dict.fromkeys(one.seed for one in questions):
            numbers = [n for n, one in enumerate(questions) if one.seed == seed]
            prompts = [self.reader.prompt(questions[n].message) for n in numbers]
            sampling = Sampling(
                max_tokens=self._max_tokens, temperature=self._temperature, seed=seed
            )
            for number, one in zip(numbers, self._model.generate(prompts, sampling), strict=True):
                found[number] = Judgement(one.text, one.usage)
        return [found[number] for number in range(len(questions))]


def _loaded(config: LanguageModelRewriterConfig) -> LanguageModel:
    try:
        return load_language_model(config.llm)
    except ConfigError as error:
        raise ConfigError(error.message, field=f"llm.{error.field or 'model'}") from error
