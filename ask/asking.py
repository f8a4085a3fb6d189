"""A language model is asked how likely answers are, or for an answer; and what each prompt took."""

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

SHARING = 8
"""Prompts with the same beginning for which it pays to read that beginning in a pass of its own."""

TOGETHER = 1_024
"""Prompts that are handed to the model at a time."""

T = TypeVar("T")

_INSTEAD = '; mode = "generation" needs no likelihood'


class Asking:
    """A model that is asked in one of two modes. Thread-safe.

    Raises UnsupportedError for a model that cannot be asked so.
    """

    def __init__(self, model: LanguageModel, mode: Mode) -> None:
        wanted: Capability = "likelihood" if mode == "scoring" else "generate"
        if wanted not in model.capabilities:
            instead = _INSTEAD if "generate" in model.capabilities else ""
            raise UnsupportedError(f"{unsupported(model, wanted)}{instead}")
        self._model = model
        self.mode = mode

    def cost(self, size: int, reader: Reader, *, written: int) -> Cost:
        """Of a prompt of `size` tokens, and in mode "generation" an answer of `written`."""
        if self.mode == "generation":
            return Cost(1, size + written)
        # A server reads a prompt once for each answer whose likelihood it is asked for.
        asked = 2 if reader.remote else 1
        return Cost(asked, asked * size)

    def margins(
        self, prompts: Sequence[Prompt], answers: tuple[str, str], weights: Sequence[int]
    ) -> list[tuple[float, Usage]]:
        """How much likelier the first answer is than the second, log(p / p), and the usage of each
        prompt.

        weights: tokens of each prompt, by which the usage of all is divided. Raises ModelError for
        likelihoods that are not numbers.
        """
        try:
            found = cast(LikelihoodModel, self._model).likelihood(prompts, answers)
        except UnsupportedError as error:
            raise UnsupportedError(f"{error}{_INSTEAD}") from error
        margins = [float(first - second) for first, second in found.total]
        if not all(map(math.isfinite, margins)):
            raise ModelError("the model gives likelihoods that are not numbers")
        return list(zip(margins, shares(found.usage, weights), strict=True))

    def generate(self, prompts: Sequence[Prompt], max_tokens: int) -> list[Completion]:
        """The likeliest text, greedily."""
        model = cast(GenerativeModel, self._model)
        return model.generate(prompts, Sampling(max_tokens=max_tokens))


def calls(items: Sequence[T], *beginnings: Callable[[T], Hashable]) -> Iterator[Sequence[T]]:
    """Prompts in calls, each once. What all prompts of a call begin with, a model reads once: those
    that share a beginning are a call of their own if they are many.

    beginnings: what says which prompts begin alike, the longest beginning first.
    """
    rest = list(items)
    for beginning in beginnings:
        groups: dict[Hashable, list[T]] = {}
        for item in rest:
            groups.setdefault(beginning(item), []).append(item)
        rest = [item for group in groups.values() if len(group) < SHARING for item in group]
        for group in groups.values():
            if len(group) >= SHARING:
                yield from _parts(group)
    yield from _parts(rest)


def _parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[i : i + TOGETHER] for i in range(0, len(items), TOGETHER))


def shares(usage: Usage, weights: Sequence[int]) -> list[Usage]:
    """A usage in parts that add up to it: tokens in proportion to weights, calls equally."""
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
