"""Backgrounds that a language model writes: zero-shot, greedy or sampled."""

from __future__ import annotations

from collections.abc import Sequence
from json import dumps
from typing import Annotated, Literal, Self, cast

from pydantic import model_validator

from ...ask import Cost, LanguageModelConfig, Limits, Memory, Meter, digest
from ...ask.loading import load_llm
from ...ask.reading import Reader
from ...core import UNGUARDED, Guard, InvalidInputError, ModelError, Usage
from ...core.bounds import Bounds, Seed
from ...encoders.passages.sentences import sentence_ends
from ...llm import GenerativeModel, LanguageModel, Sampling
from ...llm.protocol import Prompt, unsupported
from ..ahead import Ahead
from ..safety import harmless
from .config import BACKGROUNDS, BackgroundConfig
from .prompts import VERSION, Purpose, prompt
from .protocol import WrittenBackground

REMEMBERED = 10_000
"""Maximum number of texts that a background remembers."""

Pairs = Sequence[tuple[str, str]]
"""Demonstrations: questions, each with its document."""


class WritingBackgroundConfig(BackgroundConfig):
    """Base of the configurations of backgrounds that prompt a language model."""

    llm: LanguageModelConfig = LanguageModelConfig()
    """The language model: fields of `LanguageModelConfig`."""
    purpose: Purpose = "qa"
    """What the question is: "qa" (a question), "fact_check" (a statement that is true or false) or
    "dialogue" (the last turn of a conversation). It selects the prompt."""
    max_tokens: Annotated[int, Bounds(1, 100_000)] = 300
    """Maximum number of tokens of a document."""
    temperature: Annotated[float, Bounds(0, 10)] = 0.0
    """Randomness of the documents; 0 = always the most likely token."""
    seed: Seed = 0
    """Seed of all random choices."""


@BACKGROUNDS.register
class LanguageModelBackgroundConfig(WritingBackgroundConfig):
    """Documents that a language model writes about the question, without examples."""

    made_by = ".language_model:load"

    kind: Literal["language_model"] = "language_model"
    documents: Annotated[int, Bounds(1, 100)] = 1
    """Number of documents. Several are samples, which require a temperature above 0, such as
    0.95."""

    @model_validator(mode="after")
    def _samples_differ(self) -> Self:
        if self.documents > 1 and self.temperature == 0:
            raise ValueError(
                f"`documents` is {self.documents}, but all documents are equal at the temperature "
                "0; set `temperature`, such as 0.95"
            )
        return self


def load(config: LanguageModelBackgroundConfig) -> PromptingBackground:
    """Load the background of a configuration. Raises the errors of `PromptingBackground`."""
    return PromptingBackground(config, [()] * config.documents)


class PromptingBackground:
    """A background that prompts a language model: one document for each group of demonstrations.

    groups: demonstrations of each document; an empty group is a prompt without demonstrations. The
            document with the number n is sampled with the seed `config.seed` + n.
    model:  a language model of your own; None: load the one that the configuration describes.

    Documents are cached. The key is the model's fingerprint, the version of the prompts, the
    options, the question, and the demonstrations and the seed of the document.

    Raises ConfigError for an invalid option, ModelError if the model cannot be loaded, and
    UnsupportedError if it cannot generate text.
    """

    def __init__(
        self,
        config: WritingBackgroundConfig,
        groups: Sequence[Pairs],
        model: LanguageModel | None = None,
    ) -> None:
        model = load_llm(config.llm) if model is None else model
        if "generate" not in model.capabilities:
            raise unsupported(model, "generate")
        self.kind = config.kind
        self._config = config
        self._groups = groups
        self._model = cast(GenerativeModel, model)
        self._reader = Reader(model, passage_tokens=1)
        self._limit: int | None = getattr(model, "limit", None)
        self._memory: Memory[str] = Memory(REMEMBERED)
        fingerprint = dumps(dict(model.fingerprint), sort_keys=True, default=str)
        options = (VERSION, config.kind, config.purpose, config.max_tokens, config.temperature)
        self._key = digest(f"{fingerprint}\0{options}")

    def write(
        self, question: str, limits: Limits | None = None, guard: Guard = UNGUARDED
    ) -> WrittenBackground:
        """See `Background.write`."""
        meter = Meter(limits or Limits())
        texts: list[str] = []
        asked = harmless(question).strip()
        for number, pairs in enumerate(self._groups):
            guard.check()
            seed = (self._config.seed + number) % 2**32 if self._config.temperature else 0
            key = self._key, digest(f"{asked}\0{pairs}"), seed
            text = self._memory.get(key)
            if text is not None:
                meter.usage += Usage(cache_hits=1)
            else:
                text = self._written(asked, pairs, seed, meter, guard)
                if text is None:
                    reason = f"a limit was reached after {len(texts)} of {len(self._groups)}"
                    return WrittenBackground(texts, meter.usage, f"{reason} documents")
                self._memory.put(key, text)
            texts.append(text)
        return WrittenBackground(texts, meter.usage)

    def _written(
        self, question: str, pairs: Pairs, seed: int, meter: Meter[Limits], guard: Guard
    ) -> str | None:
        """Return a new document; None if a limit prevents it."""
        most = self._config.max_tokens
        written = prompt(self._config.purpose, question, pairs, chats=self._reader.chats)
        size = self._reader.whole(written)
        if self._limit is not None and size + most > self._limit:
            raise InvalidInputError(
                f"makes a prompt of {size} tokens for the background, with up to {most} more for "
                f"the document, but the model accepts {self._limit} tokens; ask a shorter "
                "question, or configure fewer `max_tokens` or shorter demonstrations",
                field="question",
            )
        cost = Cost(1, size + most)
        if not meter.reserve(cost):
            return None
        raw, usage, whole = self._streamed(
            written, Sampling(most, temperature=self._config.temperature, seed=seed), meter, guard
        )
        meter.settle(cost, usage or Usage(1, size, completion_tokens=self._reader.count(raw)))
        if usage is None:
            return None
        text = " ".join((raw if whole else _whole_sentences(raw)).split())
        if not text:
            raise ModelError(
                f"the model {self._model.name!r} wrote an empty background document; use another "
                "model, or answer without `background`"
            )
        return text

    def _streamed(
        self, written: Prompt, sampling: Sampling, meter: Meter[Limits], guard: Guard
    ) -> tuple[str, Usage | None, bool]:
        """Return the generated text, its usage, and True if the text is whole.

        The usage is None if the time limit ended the text. The text is not whole if `max_tokens`
        cut it.
        """
        raw, usage, whole = "", Usage(), True
        try:
            with Ahead(self._model.stream(written, sampling)) as ahead:
                while (chunk := ahead.next(meter.deadline, guard)) is not None:
                    raw += chunk.text
                    usage += chunk.usage or Usage()
                    whole = chunk.finish != "length"
                return raw, None if ahead.overdue else usage, whole
        except BaseException as error:
            spent = meter.usage
            if not isinstance(error, ModelError) or raw:  # Else the model may have read nothing.
                spent += Usage(
                    1, self._reader.whole(written), completion_tokens=self._reader.count(raw)
                )
            guard.spent(spent)
            raise


def _whole_sentences(text: str) -> str:
    """Return a text that `max_tokens` cut, without the incomplete sentence at its end.

    A text without a complete sentence is returned unchanged.
    """
    ends = [end for end in sentence_ends(text) if end < len(text)]
    return text[: ends[-1]] if ends and text[: ends[-1]].strip() else text
