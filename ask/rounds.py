"""Runs many courses at once under limits.

All that courses know nothing of is here: batches, limits, memory, time and failure. The questions
of one course share batches with those of all others.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, Generic

from ..core import UNGUARDED, Guard, InvalidInputError, TwindexError, Usage
from .config import Limits
from .course import A, Course, Judge, Judgement, Q, R
from .memory import Memory, digest
from .meter import Cost, Meter
from .running import Finished, Run, as_twindex_error
from .waiting import Overdue, Waiting, within

GUARDED_TOKENS = 1 << 14
"""Tokens of a call under a guard, which is checked between calls: about 2 s of a small model on a
processor."""

GUARDED_QUESTIONS = 16
"""Questions of a call that may have more tokens: a server answers several at once."""

GUARDED_COSTS = 64
"""Questions whose costs are told at once under a guard: telling may mean to tokenise long texts."""


@dataclass(frozen=True, slots=True)
class _Asked(Generic[Q, A]):
    """A question to be asked: whose it is, its number in the round, what was set aside for it."""

    run: Run[Q, A, Any]
    number: int
    cost: Cost
    key: Hashable

    @property
    def question(self) -> Q:
        return self.run.questions[self.number]


class Rounds(Generic[Q, A]):
    """Runs courses with one judge, whose judgements it remembers. Thread-safe.

    model:      the judge in errors. remembered: judgements kept at most; the latest used are.
    """

    def __init__(
        self, judge: Judge[Q, A], *, model: str = "the model", remembered: int = 100_000
    ) -> None:
        self._judge = judge
        self._model = model
        self._memory: Memory[Judgement[A]] = Memory(remembered)
        self._waiting = Waiting()

    @property
    def speed(self) -> float | None:
        """Tokens (of costs) a second in the latest calls; None before the first."""
        return self._waiting.speed

    def run(
        self,
        courses: Iterable[Course[Q, A, R]],
        limits: Limits | None = None,
        guard: Guard = UNGUARDED,
    ) -> list[Finished[R]]:
        """What became of each course, in order.

        The limits are those of each course; their milliseconds run from the call for all of them. A
        model that fails gives the status "failed" and no exception.

        guard: checked before each round and each call, which are then small, and while costs are
               told. What it raises ends the run.
        """
        limits = limits or Limits()
        began = perf_counter()
        runs: list[Run[Q, A, R]] = [Run(course, Meter(limits, began)) for course in courses]
        for run in runs:
            run.advance(None)
        while active := [run for run in runs if not run.ended]:
            self._round(active, guard)
            for run in active:
                if not run.ended:
                    run.advance(run.answers)
        return [run.finished() for run in runs]

    def _round(self, active: Sequence[Run[Q, A, Any]], guard: Guard) -> None:
        """Fill in the answers of every run, as far as limits reach.

        What was set aside for a question and not spent lets further ones be asked.
        """
        known: dict[Hashable, Judgement[A]] = {}
        guard.check()
        while open_ := [run for run in active if run.open]:
            asked = self._affordable(open_, known, guard)
            going = {id(item.run) for item in asked}
            for run in open_:
                if run.open and id(run) not in going:
                    run.status = "partial"
            while asked:
                costs = _guarded(asked, guard)
                chunk = self._waiting.chunk(costs, _deadline(asked))
                now, rest = asked[:chunk], asked[chunk:]
                try:
                    if not now:
                        raise Overdue
                    self._ask(now, known, _Failures())
                except Overdue as error:
                    for item in asked:
                        if item.run.open:
                            item.run.status = "partial"
                            item.run.warnings += error.warnings
                    return
                asked = [item for item in rest if not item.run.ended]

    def _affordable(
        self,
        runs: Sequence[Run[Q, A, Any]],
        known: Mapping[Hashable, Judgement[A]],
        guard: Guard,
    ) -> list[_Asked[Q, A]]:
        """Questions to be asked, first those that come first in each run. What is remembered is
        filled in."""
        found: list[_Asked[Q, A]] = []
        failures = _Failures()
        for run in runs:
            try:
                failures.check()
                found.extend(self._plan(run, known, guard))
            except Exception as error:  # noqa: BLE001 - whatever a model's tokenizer raises
                guard.check()  # Its own error is no failure of the run.
                run.fail(failures.add(as_twindex_error(error, self._model)))
        return sorted(found, key=lambda item: item.number)

    def _plan(
        self, run: Run[Q, A, Any], known: Mapping[Hashable, Judgement[A]], guard: Guard
    ) -> list[_Asked[Q, A]]:
        run.keys = run.keys or [self._judge.key(question) for question in run.questions]
        for i in run.open:
            if (found := known.get(run.keys[i]) or self._memory.get(run.keys[i])) is not None:
                run.answer(i, found, Usage(cache_hits=1), Cost(0, 0))
        unknown = run.open
        new = [i for i in unknown if i not in run.costs]
        size = max(1, len(new)) if guard is UNGUARDED else GUARDED_COSTS
        for start in range(0, len(new), size):
            if start:
                guard.check()
            part = new[start : start + size]
            costs = self._judge.costs([run.questions[i] for i in part])
            run.costs.update(zip(part, costs, strict=True))
        planned: list[_Asked[Q, A]] = []
        keys: set[Hashable] = set()
        for i in unknown:
            # The same question once more in this round is answered with the first one.
            cost = Cost(0, 0) if run.keys[i] in keys else run.costs[i]
            if not run.meter.reserve(cost):
                break
            planned.append(_Asked(run, i, cost, run.keys[i]))
            keys.add(run.keys[i])
        return planned

    def _ask(
        self,
        items: Sequence[_Asked[Q, A]],
        known: dict[Hashable, Judgement[A]],
        failures: _Failures,
    ) -> None:
        """Ask a batch; where it fails, each run's part by itself, so that one text that the model
        refuses does not fail the others. Raises Overdue."""
        try:
            failures.check()
            self._answer(items, known)
            failures.clear()
            return
        except Overdue:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a model raises
            failure = as_twindex_error(error, self._model)
        parts: dict[int, list[_Asked[Q, A]]] = {}
        for item in items:
            parts.setdefault(id(item.run), []).append(item)
        if len(parts) == 1:
            items[0].run.fail(failures.add(failure))
            return
        for part in parts.values():
            self._ask(part, known, failures)

    def _answer(self, items: Sequence[_Asked[Q, A]], known: dict[Hashable, Judgement[A]]) -> None:
        """Each key once; those who ask for the same share the first one's judgement."""
        asked: dict[Hashable, _Asked[Q, A]] = {}
        for item in items:
            if item.key not in known:
                asked.setdefault(item.key, item)
        began = perf_counter()
        if asked:
            questions = [item.question for item in asked.values()]
            size = sum(max(1, item.cost.tokens) for item in asked.values())
            deadline = _deadline(items)

            def ask() -> dict[Hashable, Judgement[A]]:
                found = dict(zip(asked, map(_compact, self._judge.ask(questions)), strict=True))
                for key, judgement in found.items():  # Also when nobody waits for it any more.
                    self._memory.put(key, judgement)
                return found

            known.update(self._waiting.call(ask, size, deadline))
        each = (perf_counter() - began) / max(1, len(asked))
        for item in items:
            judgement = known[item.key]
            usage = Usage(cache_hits=1)
            if asked.get(item.key) is item:
                usage = replace(judgement.usage, seconds=each)
            item.run.answer(item.number, judgement, usage, item.cost)


class _Failures:
    """Failures of one run after the other. Two in a row that are not about what the model was given
    mean that the model itself is at fault: the others fail without waiting for it."""

    def __init__(self) -> None:
        self._row = 0
        self._last: TwindexError | None = None

    def check(self) -> None:
        if self._row >= 2 and self._last is not None:
            raise self._last

    def add(self, error: TwindexError) -> TwindexError:
        self._last = error
        self._row += not isinstance(error, InvalidInputError)
        return error

    def clear(self) -> None:
        self._row = 0


def _guarded(items: Sequence[_Asked[Q, A]], guard: Guard) -> list[Cost]:
    """Costs of the questions that the next call may have: under a guard few, and it is checked."""
    costs = [item.cost for item in items]
    if guard is UNGUARDED:
        return costs
    guard.check()
    return costs[: max(GUARDED_QUESTIONS, within(costs, GUARDED_TOKENS))]


def _deadline(items: Sequence[_Asked[Q, A]]) -> float | None:
    """All began together with the same budget."""
    return items[0].run.meter.deadline


def _compact(judgement: Judgement[A]) -> Judgement[A]:
    """To be remembered: without long texts."""
    short = (digest(one) if isinstance(one, str) else one for one in judgement.truncated)
    return replace(judgement, truncated=tuple(short))
