"""Gets answers from a language model: generated texts, or likelihoods of two given answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Literal, TypeVar, cast

from ..core import ModelError, UnsupportedError, Usage
from ..llm import Capability, Completion, GenerativeModel, LanguageModel, LikelihoodModel, Sampling
from ..llm.protocol import Prompt, unsupported
from .meter import Cost
from .reading import Reader

Mode = Literal["scoring", "generation"]

MIN_SHARED = 8
"""Minimum number of prompts with the same beginning that get a call of their own, in which the
model reads the beginning only once."""

MAX_PROMPTS = 1_024
"""Maximum number of prompts in one call of the model."""

T = TypeVar("T")

_INSTEAD = '; use mode = "generation" instead'


class AnsweringModel:
    """A language model that answers prompts in one of two modes. Thread-safe.

    mode: "scoring" compares the likelihoods of two given answers; "generation" generates an answer.

    The constructor raises UnsupportedError if the model does not support the mode.
    """

    def __init__(self, model: LanguageModel, mode: Mode) -> None:
        wanted: Capability = "likelihood" if mode == "scoring" else "generate"
        if wanted not in model.capabilities:
            instead = _INSTEAD if "generate" in model.capabilities else ""
            raise UnsupportedError(f"{unsupported(model, wanted)}{instead}")
        self._model = model
        self.mode = mode

    def cost(self, size: int, reader: Reader, *, written: int) -> Cost:
        """Return the cost of a prompt in calls and tokens.

        size:    number of tokens of the prompt.
        reader:  object that prepares the prompts and knows whether the model is on a server.
        written: maximum number of tokens of the answer; they count only in mode "generation".
        """
        if self.mode == "generation":
            return Cost(1, size + written)
        # A server reads a prompt once for each of the two answers.
        reads = 2 if reader.remote else 1
        return Cost(reads, reads * size)

    def margins(
        self, prompts: Sequence[Prompt], answers: tuple[str, str], weights: Sequence[int]
    ) -> list[tuple[float, Usage]]:
        """Return the log-likelihood ratio of two answers, and the usage, for each prompt.

        The ratio is log(p(first answer) / p(second answer)).

        weights: number of tokens of each prompt. The usage of the call is divided among the prompts
                 in proportion to these numbers.

        Raises ModelError if a likelihood is not a finite number.
        """
        try:
            found = cast(LikelihoodModel, self._model).likelihood(prompts, answers)
        except UnsupportedError as error:
            raise UnsupportedError(f"{error}{_INSTEAD}") from error
        margins = [float(first - second) for first, second in found.total]
        if not all(map(math.isfinite, margins)):
            raise ModelError(
                f"model {self._model.name!r} returned likelihoods that are not finite numbers; "
                "use another model"
            )
        return list(zip(margins, shares(found.usage, weights), strict=True))

    def generate(self, prompts: Sequence[Prompt], max_tokens: int) -> list[Completion]:
        """Return the text that greedy decoding generates for each prompt."""
        model = cast(GenerativeModel, self._model)
        return model.generate(prompts, Sampling(max_tokens=max_tokens))


def calls(items: Sequence[T], *beginnings: Callable[[T], Hashable]) -> Iterator[Sequence[T]]:
    """Divide prompts into calls of a model. Each prompt is in exactly one call.

    If all prompts of a call begin alike, the model reads this beginning only once. Prompts that
    share a beginning therefore get calls of their own if there are at least `MIN_SHARED` of them.

    items:      prompts, or objects that stand for prompts.
    beginnings: functions that return a key for the beginning of a prompt, such as its first words.
                They are applied in order, so the function for the longest beginning must be first.
    """
    rest = list(items)
    for beginning in beginnings:
        groups: dict[Hashable, list[T]] = {}
        for item in rest:
            groups.setdefault(beginning(item), []).append(item)
        rest = [item for group in groups.values() if len(group) < MIN_SHARED for item in group]
        for group in groups.values():
            if len(group) >= MIN_SHARED:
                yield from _parts(group)
    yield from _parts(rest)


def _parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[i : i + MAX_PROMPTS] for i in range(0, len(items), MAX_PROMPTS))


def shares(usage: Usage, weights: Sequence[int]) -> list[Usage]:
    """Divide the calls and tokens in the usage of one call among its prompts.

    Tokens are divided in proportion to `weights`, calls equally. The parts add up to the numbers in
    `usage`. `seconds` and `cache_hits` of the parts are 0.
    """
    calls = _shares(usage.calls, [1] * len(weights))
    read = _shares(usage.prompt_tokens, weights)
    cached = _shares(usage.cached_tokens, weights)
    written = _shares(usage.completion_tokens, weights)
    return [Usage(*parts) for parts in zip(calls, read, cached, written, strict=True)]


def _shares(amount: int, weights: Sequence[int]) -> list[int]:
    total, seen, given, parts = max(1, sum(weights)), 0, 0, []
    for weight in weights:
        seen += weight
        parts.append(amount * seen // total - given)
        given += parts[-1]
    return parts
