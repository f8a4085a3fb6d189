"""Limits while what they allow is being spent."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter
from typing import Generic, TypeVar

from ..core import Usage
from .config import Limits

L = TypeVar("L", bound=Limits)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a question will cost at most: calls, and tokens read and written."""

    calls: int = 1
    tokens: int = 0


@dataclass(slots=True)
class Meter(Generic[L]):
    """What one task may still spend, and what it has spent.

    began: `perf_counter()` from which the milliseconds of the budget run.
    """

    budget: L
    began: float = field(default_factory=perf_counter)
    usage: Usage = field(default_factory=Usage)
    reserved: Cost = field(default_factory=lambda: Cost(0, 0))

    @property
    def deadline(self) -> float | None:
        """In `perf_counter()`; None = no limit."""
        limit = self.budget.milliseconds
        return None if limit is None else self.began + limit / 1e3

    def reserve(self, cost: Cost) -> bool:
        """Set aside what a question may cost; False where that is more than is left."""
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
        """Put what a question did cost in the place of what was set aside for it."""
        self.reserved = Cost(self.reserved.calls - cost.calls, self.reserved.tokens - cost.tokens)
        self.usage += usage

    def left(self) -> L:
        """What is left of the budget, from now on. At least a thousandth of a millisecond is."""
        update: dict[str, float] = {}
        if self.budget.calls is not None:
            update["calls"] = max(0, self.budget.calls - self.usage.calls)
        if self.budget.tokens is not None:
            used = self.usage.prompt_tokens + self.usage.completion_tokens
            update["tokens"] = max(0, self.budget.tokens - used)
        if self.deadline is not None:
            update["milliseconds"] = max(1e-3, (self.deadline - perf_counter()) * 1e3)
        return self.budget.model_copy(update=update)
