"""Runs many courses at once within limits. A course is an algorithm that asks a model questions.

This module handles batches, limits, the cache, time and failures, so that courses do not have to.
A batch may contain questions of several courses.
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
"""Maximum number of tokens in one call of the model if there is a guard. A call goes on after its
caller has left, so calls must be short. A small model on a CPU needs about 2 s for these tokens."""

GUARDED_QUESTIONS = 16
"""With a guard, a call may have this many questions even if they exceed `GUARDED_TOKENS`, because a
server answers several questions at the same time."""

GUARDED_COSTS = 64
"""With a guard, number of questions whose costs are computed between two checks of the guard. Costs
may require tokenising long texts."""


@dataclass(frozen=True, slots=True)
class _Pending(Generic[Q, A]):
    """A question of a course that fits the limits and will be sent to the judge.

    run:    state of the course that asks the question.
    number: position of the question in the course's current round.
    cost:   cost that is reserved for the question.
    key:    key of the question in the cache.
    """

    run: Run[Q, A, Any]
    number: int
    cost: Cost
    key: Hashable

    @property
    def question(self) -> Q:
        return self.run.questions[self.number]


class Rounds(Generic[Q, A]):
    """Runs algorithms that ask a model questions, and caches the answers. Thread-safe.

    judge:      object that answers the questions with a model.
    model:      name of the model in errors, such as "the model".
    remembered: maximum number of cached answers; the least recently used are dropped.
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
        """Estimated number of tokens that the model processes per second. None before the first
        call.

        The estimate uses the maximum costs of the questions and the times of the latest calls.
        """
        return self._waiting.speed

    def run(
        self,
        courses: Iterable[Course[Q, A, R]],
        limits: Limits | None = None,
        guard: Guard = UNGUARDED,
    ) -> list[Finished[R]]:
        """Run several courses (algorithms that ask questions) and return their results, in order.

        The limits apply to each course separately. The time of all courses starts when this method
        is called. If the model fails, no exception is raised. The results of the courses whose
        questions the model did not answer have the status "failed".

        guard: `guard.check` is called before each round, during each call of the model (every 50
               ms), and while costs are computed. With a guard, calls of the model are small. An
               exception of the guard ends all courses and is raised at once, while the last call
               ends in a thread of its own.
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
        """Answer the current questions of every run (running course), as far as the limits allow.

        A question usually costs less than what was reserved for it. What remains is used for
        further questions of the run.
        """
        known: dict[Hashable, Judgement[A]] = {}
        guard.check()
        while open_ := [run for run in active if run.open]:
            pending = self._affordable(open_, known, guard)
            going = {id(item.run) for item in pending}
            for run in open_:
                if run.open and id(run) not in going:
                    run.status = "partial"
            while pending:
                costs = _guarded(pending, guard)
                chunk = self._waiting.chunk(costs, _deadline(pending))
                now, rest = pending[:chunk], pending[chunk:]
                try:
                    if not now:
                        raise Overdue
                    self._ask(now, known, _Failures(), guard)
                except Overdue as error:
                    for item in pending:
                        if item.run.open:
                            item.run.status = "partial"
                            item.run.warnings += error.warnings
                    return
                pending = [item for item in rest if not item.run.ended]

    def _affordable(
        self,
        runs: Sequence[Run[Q, A, Any]],
        known: Mapping[Hashable, Judgement[A]],
        guard: Guard,
    ) -> list[_Pending[Q, A]]:
        """Return the unanswered questions that fit the limits, sorted by position in the round.

        Questions with an answer in `known` or in the cache are answered at once and not returned.

        runs:  running courses.
        known: key of a question -> its answer in this round.
        """
        found: list[_Pending[Q, A]] = []
        failures = _Failures()
        for run in runs:
            try:
                failures.check()
                found.extend(self._plan(run, known, guard))
            except Exception as error:  # noqa: BLE001 - a model's tokenizer may raise anything
                guard.check()  # If the guard raised the error, it ends all runs.
                run.fail(failures.add(as_twindex_error(error, self._model)))
        return sorted(found, key=lambda item: item.number)

    def _plan(
        self, run: Run[Q, A, Any], known: Mapping[Hashable, Judgement[A]], guard: Guard
    ) -> list[_Pending[Q, A]]:
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
        planned: list[_Pending[Q, A]] = []
        keys: set[Hashable] = set()
        for i in unknown:
            # A repeated question in a round shares the answer of the first and costs nothing.
            cost = Cost(0, 0) if run.keys[i] in keys else run.costs[i]
            if not run.meter.reserve(cost):
                break
            planned.append(_Pending(run, i, cost, run.keys[i]))
            keys.add(run.keys[i])
        return planned

    def _ask(
        self,
        items: Sequence[_Pending[Q, A]],
        known: dict[Hashable, Judgement[A]],
        failures: _Failures,
        guard: Guard,
    ) -> None:
        """Send a batch of questions to the judge and store the answers in the runs.

        If the batch fails, the questions of each run (running course) are sent separately. A text
        that the model refuses then causes only its own run to fail. Raises Overdue at the deadline,
        and the exceptions of the guard.
        """
        try:
            failures.check()
            self._answer(items, known, guard)
            failures.clear()
            return
        except Overdue:
            raise
        except Exception as error:  # noqa: BLE001 - a model may raise anything
            guard.check()  # If the guard raised the error, it ends all runs.
            failure = as_twindex_error(error, self._model)
        parts: dict[int, list[_Pending[Q, A]]] = {}
        for item in items:
            parts.setdefault(id(item.run), []).append(item)
        if len(parts) == 1:
            items[0].run.fail(failures.add(failure))
            return
        for part in parts.values():
            self._ask(part, known, failures, guard)

    def _answer(
        self,
        items: Sequence[_Pending[Q, A]],
        known: dict[Hashable, Judgement[A]],
        guard: Guard,
    ) -> None:
        """Send the questions to the judge, but only one of several questions with equal keys.

        Questions with equal keys share the answer.
        """
        unique: dict[Hashable, _Pending[Q, A]] = {}
        for item in items:
            if item.key not in known:
                unique.setdefault(item.key, item)
        began = perf_counter()
        if unique:
            questions = [item.question for item in unique.values()]
            size = sum(max(1, item.cost.tokens) for item in unique.values())
            deadline = _deadline(items)

            def ask() -> dict[Hashable, Judgement[A]]:
                found = dict(zip(unique, map(_compact, self._judge.ask(questions)), strict=True))
                for key, judgement in found.items():  # Also after the deadline.
                    self._memory.put(key, judgement)
                return found

            known.update(self._waiting.call(ask, size, deadline, guard))
        each = (perf_counter() - began) / max(1, len(unique))
        for item in items:
            judgement = known[item.key]
            usage = Usage(cache_hits=1)
            if unique.get(item.key) is item:
                usage = replace(judgement.usage, seconds=each)
            item.run.answer(item.number, judgement, usage, item.cost)


class _Failures:
    """Counts consecutive failures of courses, and decides when to stop calling the model.

    The model counts as broken after two consecutive failures that the input did not cause. All
    remaining courses of the batch then fail with the last error, without a call of the model.
    """

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


def _guarded(items: Sequence[_Pending[Q, A]], guard: Guard) -> list[Cost]:
    """Return the costs of the questions that the next call of the model may contain.

    Without a guard, the call may contain all questions in `items`. With a guard, `guard.check` is
    called, and the call may contain only the first few questions.
    """
    costs = [item.cost for item in items]
    if guard is UNGUARDED:
        return costs
    guard.check()
    return costs[: max(GUARDED_QUESTIONS, within(costs, GUARDED_TOKENS))]


def _deadline(items: Sequence[_Pending[Q, A]]) -> float | None:
    """Return the deadline, which is the same for all questions; None without a time limit."""
    return items[0].run.meter.deadline


def _compact(judgement: Judgement[A]) -> Judgement[A]:
    """Return a copy of a judgement for the cache, with digests instead of the truncated texts."""
    short = (digest(one) if isinstance(one, str) else one for one in judgement.truncated)
    return replace(judgement, truncated=tuple(short))
