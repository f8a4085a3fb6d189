"""Asks a language model for texts to search, within limits, and remembers its answers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from json import dumps
from typing import Annotated, cast

from ...ask import Cost, Course, Judgement, LanguageModelConfig, Limits, Outcome, Rounds, digest
from ...ask.loading import load_llm
from ...ask.reading import Reader
from ...core import UNGUARDED, Guard, ModelError
from ...core.bounds import Bounds, Seed
from ...encoders.lexical.config import AnalyzerConfig
from ...encoders.lexical.encoder import LexicalEncoder
from ...llm import Completion, GenerativeModel, LanguageModel, Message, Sampling
from ...llm.protocol import Prompt, unsupported
from ..safety import harmless
from .cleaning import Cleaned, Cleaner
from .config import RewriterConfig
from .protocol import Question, Rewrites, RewrittenText, TextKind

TURN_TOKENS = 256
"""Maximum number of tokens of a turn that a prompt contains."""

NO_TURNS = "the conversation has no earlier turns"
"""Why a follow-up question is not rewritten."""

REMEMBERED = 10_000
"""Maximum number of answers that a rewriter remembers."""

Ask = Callable[[str, Sequence[tuple[str, str]]], str]
"""Function from a question and earlier turns, (role, text), to the last message of a prompt."""


def the_question(question: str, turns: Sequence[tuple[str, str]]) -> str:
    """Return the question, for prompts whose last message is the question alone."""
    return question


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


@dataclass(frozen=True, slots=True)
class Method:
    """How a kind of rewriter prompts a model, and reads its answers.

    The prompt is a conversation: instructions, examples and the question. Each example is two
    turns, because small models follow such examples more often than examples inside a message.

    system:  instructions.
    shots:   examples: pairs of a message and the answer to it.
    version: version of the prompt. A changed prompt has another version.
    kind:    kind of the texts; see `RewrittenText`.
    ask:     returns the last message of the prompt.
    samples: number of answers of the model to the prompt, each with another seed.
    most:    maximum number of queries that are kept; an answer has one query in each line. None:
             an answer is one passage.
    turns:   maximum number of earlier turns in the prompt. If not 0, the rewriter needs earlier
             turns, and a text must share a word with the question or the turns.
    """

    system: str
    shots: Sequence[tuple[str, str]]
    version: int
    kind: TextKind
    ask: Ask = the_question
    samples: int = 1
    most: int | None = None
    turns: int = 0

    @property
    def example(self) -> list[str]:
        """Texts of the examples that the model may copy: queries and passages."""
        answers = [line for _, answer in self.shots for line in answer.splitlines()]
        return answers if self.turns else [*answers, *(message for message, _ in self.shots)]


@dataclass(frozen=True, slots=True)
class _Draft:
    """A question to the model: the last message of a prompt, and the seed of the answer."""

    message: str
    seed: int


class PromptingRewriter:
    """A rewriter that prompts a language model.

    model: a language model of your own; None: load the one that the configuration describes.

    The answers of the model are cached. The key is the model's fingerprint, the version of the
    prompt, the question and the seed.

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
        self._judge = judge = _Judge(
            config, method, load_llm(config.llm) if model is None else model
        )
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
        version = self._method.version
        asked = [one for one in questions if one.turns or not self._method.turns]
        courses = [self._course(one) for one in asked]
        found = iter(self._rounds.run(courses, limits, guard) if courses else ())
        rewrites = []
        for question in questions:
            if self._method.turns and not question.turns:
                rewrites.append(Rewrites((), reason=NO_TURNS, version=version))
                continue
            one = next(found)
            written = one.result or ()
            made = Rewrites(written, one.status, one.usage, one.seconds, one.warnings)
            rewrites.append(replace(made, version=version, error=one.error))
        return rewrites

    def warm_up(self) -> ModelError | None:
        """Let the model write one token. Return its error if it fails, else None."""
        try:
            self._judge.write(["What is a kiwi?"], 1, self._seed)
        except ModelError as error:
            return error
        return None

    def _course(self, question: Question) -> Course[_Draft, str, Sequence[RewrittenText]]:
        method = self._method
        turns = question.turns[-method.turns :] if method.turns else ()
        message = method.ask(
            self._reader.query(harmless(question.text)).text,
            [(turn.role, self._reader.passage(harmless(turn.content)).text) for turn in turns],
        )
        drafts = [_Draft(message, (self._seed + n) % 2**32) for n in range(method.samples)]
        answers = [text for text in (yield drafts) if text is not None]
        found = self._cleaned(question, answers)
        warnings = found.warnings
        if turns:
            said = {term for turn in turns for term in self._terms(turn.content)}
            related = said | set(self._terms(question.text))
            kept = [text for text in found.texts if related & set(self._terms(text))]
            if len(kept) < len(found.texts):
                warnings.append("the model wrote a question that has no word of the conversation")
            found.texts = kept
        return Outcome([RewrittenText(text, method.kind) for text in found.texts], True, warnings)

    def _cleaned(self, question: Question, answers: Sequence[str]) -> Cleaned:
        if self._method.most is None:
            return self._cleaner.passages(question.text, answers)
        turns = [turn.content for turn in question.turns]
        return self._cleaner.queries(question.text, answers, self._method.most, turns)


class _Judge:
    """Gets texts from a language model."""

    def __init__(
        self, config: LanguageModelRewriterConfig, method: Method, model: LanguageModel
    ) -> None:
        if "generate" not in model.capabilities:
            raise unsupported(model, "generate")
        self._model = cast(GenerativeModel, model)
        self.reader = Reader(model, TURN_TOKENS)
        self._method = method
        self._max_tokens = config.max_tokens
        self._temperature = config.temperature
        model_id = dumps(dict(model.fingerprint), sort_keys=True, default=str)
        options = (config.kind, method.version, config.max_tokens, config.temperature)
        self._key = digest(f"{model_id}\0{options}")

    def costs(self, questions: Sequence[_Draft]) -> list[Cost]:
        sizes: dict[str, int] = {}
        for one in questions:
            if one.message not in sizes:
                sizes[one.message] = self.reader.whole(self._prompt(one.message))
        return [Cost(1, sizes[one.message] + self._max_tokens) for one in questions]

    def key(self, question: _Draft) -> Hashable:
        return self._key, digest(question.message), question.seed if self._temperature else 0

    def ask(self, questions: Sequence[_Draft]) -> list[Judgement[str]]:
        found: dict[int, Judgement[str]] = {}
        for seed in dict.fromkeys(one.seed for one in questions):
            numbers = [n for n, one in enumerate(questions) if one.seed == seed]
            written = self.write([questions[n].message for n in numbers], self._max_tokens, seed)
            for number, one in zip(numbers, written, strict=True):
                found[number] = Judgement(self._whole(one), one.usage)
        return [found[number] for number in range(len(questions))]

    def write(self, messages: Sequence[str], max_tokens: int, seed: int) -> list[Completion]:
        """Return what the model writes for each message. Raises ModelError if it fails."""
        sampling = Sampling(max_tokens=max_tokens, temperature=self._temperature, seed=seed)
        return self._model.generate([self._prompt(one) for one in messages], sampling)

    def _prompt(self, message: str) -> Prompt:
        """Return the whole prompt: a conversation, or a text if the model has no chat template."""
        pairs = [*self._method.shots, (message, "")]
        if not self.reader.chats:
            return "\n\n".join([self._method.system, *(f"{q}\n=> {a}" for q, a in pairs)]).rstrip()
        turns = [Message("system", self._method.system)]
        for asked, answered in pairs:
            turns += [Message("user", asked), Message("assistant", answered)]
        return turns[:-1]

    def _whole(self, found: Completion) -> str:
        """Return the answer, without its last line if it has several lines and the last was cut."""
        cut = found.finish == "length" and self._method.most is not None and "\n" in found.text
        return found.text.rpartition("\n")[0] if cut else found.text
