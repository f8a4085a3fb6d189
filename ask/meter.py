"""Counts the calls, tokens and time that a task has used, against its limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter
from typing import Generic, TypeVar

from ..core import Usage
from .config import Limits

L = TypeVar("L", bound=Limits)


@dataclass(frozen=True, slots=True)
class Cost:
    """Maximum cost of a question to a model.

    calls:  number of prompts that the model reads.
    tokens: number of tokens read and generated.
    """

    calls: int = 1
    tokens: int = 0


@dataclass(slots=True)
class Meter(Generic[L]):
    """The budget of one task, and how much of it is used.

    budget:   limits of the task.
    began:    start of the task, as a value of `perf_counter()`.
    usage:    usage of the model so far.
    reserved: total maximum cost of the questions that were asked and have no answer yet.
    """

    budget: L
    began: float = field(default_factory=perf_counter)
    usage: Usage = field(default_factory=Usage)
    reserved: Cost = field(default_factory=lambda: Cost(0, 0))

    @property
    def deadline(self) -> float | None:
        """Time at which the task must end, as a value of `perf_counter()`. None: no time limit."""
        limit = self.budget.milliseconds
        return None if limit is None else self.began + limit / 1e3

    def reserve(self, cost: Cost) -> bool:
        """Reserve the maximum cost of a question and return True.

        Reserve nothing and return False if what is left of the budget is too small.
        """
        calls, tokens = self.budget.calls, self.budget.tokens
        spent = self.usage.calls + self.reserved.calls
        used = self.usage.prompt_tokens + self.usage.completion_tokens + self.reserved.tokens
        if calls is not None and spent + cost.calls > calls:
            return False
        if tokens is not None and used + cost.tokens > tokens:
            return False
        self.reserved = Cost(self.reserved.calls + cost.calls, self.reserved.tokens + cost.tokens)
        return True

    def settle(self, cost: Cost, usage: Usage) -> None:
        """Replace the reserved cost of an answered question with its actual usage."""
        self.reserved = Cost(self.reserved.calls - cost.calls, self.reserved.tokens - cost.tokens)
        self.usage += usage

    def left(self) -> L:
        """Return the limits minus what is used so far. The time left is at least 0.001 ms."""
        update: dict[str, float] = {}
        if self.budget.calls is not None:
            update["calls"] = max(0, self.budget.calls - self.usage.calls)
        if self.budget.tokens is not None:
            used = self.usage.prompt_tokens + self.usage.completion_tokens
            update["tokens"] = max(0, self.budget.tokens - used)
        if self.deadline is not None:
            update["milliseconds"] = max(1e-3, (self.deadline - perf_counter()) * 1e3)
        return self.budget.model_copy(update=update)
