"""Algorithms that ask a model in rounds, run for many queries at once under a budget.

An algorithm (a `Course`) is a generator: it yields the questions of a round, is sent their answers,
and returns the order. So it knows nothing of batches, budgets, memory, time or failure, all of
which are here; and a sort of one query shares batches with the sorts of all others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Hashable, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Generic, Protocol, TypeVar

from ..core import ModelError, TwindexError, Usage
from ..core.rerank_config import Budget
from .memory import Memory
from .meter import Cost, Meter
from .protocol import Placed, Reranked, Status, Task
from .waiting import Overdue, Waiting

log = logging.getLogger(__name__)

Q = TypeVar("Q")
A = TypeVar("A")
Q_contra = TypeVar("Q_contra", contravariant=True)
A_co = TypeVar("A_co", covariant=True)

Course = Generator[Sequence[Q], Sequence[A | None], Sequence[Placed]]
"""Rounds of questions in the order of their importance -> answers, None for those not reached. Once
there is a None nothing more is answered: the course returns the best order that it has, which has
every candidate of its task once."""


@dataclass(frozen=True, slots=True)
class Judgement(Generic[A_co]):
    """An answer, what it took, and the texts that were not read to their end."""

    answer: A_co
    usage: Usage = field(default_factory=Usage)
    truncated: Sequence[str] = ()


class Judge(Protocol[Q_contra, A_co]):
    """A model that answers questions. Thread-safe.

    Usage.seconds of its judgements is not looked at: the time is taken here.
    """

    def costs(self, questions: Sequence[Q_contra]) -> Sequence[Cost]:
        """What each will cost at most. Cheap."""

    def ask(self, questions: Sequence[Q_contra]) -> Sequence[Judgement[A_co]]:
        """Answers in order. Raises ModelError."""

    def key(self, question: Q_contra) -> Hashable:
        """Equal for questions with the same answer, which are asked once; holds no long text."""


@dataclass(slots=True)
class _Run(Generic[Q, A]):
    """A course under way."""

    task: Task
    judged: int
    course: Course[Q, A]
    meter: Meter
    questions: Sequence[Q] = ()
    answers: list[A | None] = field(default_factory=list)
    order: Sequence[Placed] | None = None
    truncated: set[str] = field(default_factory=set)
    status: Status = "complete"
    error: TwindexError | None = None
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def go_on(self, answers: Sequence[A | None] | None) -> None:
        """Hand the answers over, None at the start; take the next questions, or the order."""
        try:
            self.questions = next(self.course) if answers is None else self.course.send(answers)
            self.answers = [None] * len(self.questions)
        except StopIteration as end:
            self.order = end.value
            self.seconds = perf_counter() - self.meter.began

    def fail(self, error: TwindexError) -> None:
        self.course.close()
        self.status, self.error = "failed", error
        self.order = [Placed(i, judged=False) for i in range(self.judged)]
        self.seconds = perf_counter() - self.meter.began

    def result(self) -> Reranked:
        assert self.order is not None, "the course has ended"
        places = sorted(placed.index for placed in self.order)
        assert places == list(range(self.judged)), "a course returns every candidate once"
        rest = range(self.judged, len(self.task.candidates))
        status = "partial" if rest and self.status == "complete" else self.status
        return Reranked(
            order=[*self.order, *(Placed(i, judged=False) for i in rest)],
            status=status,
            usage=self.meter.usage,
            seconds=self.seconds,
            truncated=len(self.truncated),
            warnings=tuple(self.warnings),
            error=self.error,
        )


@dataclass(frozen=True, slots=True)
class _Asked(Generic[Q, A]):
    """A question to be asked: whose it is, its number in the round, what was set aside for it."""

    run: _Run[Q, A]
    number: int
    cost: Cost
    key: Hashable

    @property
    def question(self) -> Q:
        return self.run.questions[self.number]


class Rounds(Generic[Q, A]):
    """Runs courses with one judge, whose judgements it remembers. Thread-safe.

    remembered: judgements kept at most; the latest used are.
    """

    def __init__(self, judge: Judge[Q, A], *, remembered: int = 100_000) -> None:
        self._judge = judge
        self._memory: Memory[Judgement[A]] = Memory(remembered)
        self._waiting = Waiting()

    def rerank(
        self,
        tasks: Sequence[Task],
        course: Callable[[Task], Course[Q, A]],
        budget: Budget | None = None,
    ) -> list[Reranked]:
        """See `Reranker.rerank`. `course` gets a task of which the budget lets it see all."""
        budget = budget or Budget()
        began = perf_counter()
        runs: list[_Run[Q, A]] = []
        for task in tasks:
            total = len(task.candidates)
            judged = total if budget.candidates is None else min(total, budget.candidates)
            seen = replace(task, candidates=task.candidates[:judged])
            runs.append(_Run(task, judged, course(seen), Meter(budget, began)))
        for run in runs:
            run.go_on(None)
        while active := [run for run in runs if run.order is None]:
            self._round(active)
            for run in active:
                if run.order is None:
                    run.go_on(run.answers)
        return [run.result() for run in runs]

    def _round(self, active: Sequence[_Run[Q, A]]) -> None:
        """Fill in the answers of every run, as far as budgets reach."""
        open_ = [run for run in active if run.status == "complete"]
        try:
            asked = self._affordable(open_)
        except Exception as error:  # noqa: BLE001 - whatever a model's tokenizer raises
            for run in open_:
                run.fail(_model_error(error))
            return
        while asked:
            chunk = self._waiting.chunk([item.cost for item in asked], _deadline(asked))
            now, asked = asked[:chunk], asked[chunk:]
            if not now:
                _late(asked)
                return
            try:
                self._ask(now)
            except Overdue as error:
                _late([*now, *asked])
                for run in {id(item.run): item.run for item in now}.values():
                    run.warnings.extend(error.warnings)
                return
            asked = [item for item in asked if item.run.order is None]

    def _affordable(self, active: Sequence[_Run[Q, A]]) -> list[_Asked[Q, A]]:
        """Questions to be asked, each once, first those that come first in each run. What is
        remembered is filled in."""
        found: list[_Asked[Q, A]] = []
        for run in active:
            keys = [self._judge.key(question) for question in run.questions]
            unknown = [i for i, key in enumerate(keys) if not self._recall(run, i, key)]
            costs = self._judge.costs([run.questions[i] for i in unknown])
            planned: set[Hashable] = set()
            for i, cost in zip(unknown, costs, strict=True):
                # The same question once more in this round: answered with it, by memory.
                if keys[i] in planned:
                    found.append(_Asked(run, i, Cost(0, 0), keys[i]))
                    continue
                if not run.meter.reserve(cost):
                    run.status = "partial"
                    break
                planned.add(keys[i])
                found.append(_Asked(run, i, cost, keys[i]))
        return sorted(found, key=lambda item: item.number)

    def _recall(self, run: _Run[Q, A], number: int, key: Hashable) -> bool:
        known = self._memory.get(key)
        if known is None:
            return False
        run.answers[number] = known.answer
        run.truncated.update(known.truncated)
        run.meter.usage += Usage(cache_hits=1)
        return True

    def _ask(self, items: Sequence[_Asked[Q, A]]) -> None:
        """Ask a batch; where it fails, each run's part by itself, so that one text that the model
        refuses does not fail the others. Raises Overdue."""
        try:
            self._answer(items)
            return
        except Overdue:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a model raises
            failure = _model_error(error)
        parts: dict[int, list[_Asked[Q, A]]] = {}
        for item in items:
            parts.setdefault(id(item.run), []).append(item)
        failures = 0
        for part in parts.values():
            # One run failed already; two in a row mean that the model itself is at fault.
            if len(parts) > 1 and failures < 2:
                try:
                    self._answer(part)
                    failures = 0
                    continue
                except Overdue:
                    raise
                except Exception as error:  # noqa: BLE001
                    failure = _model_error(error)
            failures += 1
            part[0].run.fail(failure)

    def _answer(self, items: Sequence[_Asked[Q, A]]) -> None:
        """Each key once; those who ask for the same share the first one's judgement."""
        known: dict[Hashable, Judgement[A]] = {}
        asked: dict[Hashable, _Asked[Q, A]] = {}
        for item in items:
            if item.key not in known and (found := self._memory.get(item.key)) is not None:
                known[item.key] = found
            elif item.key not in known:
                asked.setdefault(item.key, item)
        began = perf_counter()
        if asked:
            questions = [item.question for item in asked.values()]
            size = sum(max(1, item.cost.tokens) for item in asked.values())
            deadline = _deadline(items)
            given = self._waiting.call(lambda: self._judge.ask(questions), size, deadline)
            for key, judgement in zip(asked, given, strict=True):
                known[key] = judgement
                self._memory.put(key, judgement)
        each = (perf_counter() - began) / max(1, len(asked))
        for item in items:
            judgement = known[item.key]
            usage = Usage(cache_hits=1)
            if asked.get(item.key) is item:
                usage = replace(judgement.usage, seconds=each)
            item.run.meter.settle(item.cost, usage)
            item.run.answers[item.number] = judgement.answer
            item.run.truncated.update(judgement.truncated)


def _deadline(items: Sequence[_Asked[Q, A]]) -> float | None:
    """All began together with the same budget."""
    return items[0].run.meter.deadline if items else None


def _late(items: Sequence[_Asked[Q, A]]) -> None:
    for item in items:
        item.run.status = "partial"


def _model_error(error: Exception) -> TwindexError:
    if isinstance(error, TwindexError):
        return error
    log.error("a reranker's model failed", exc_info=error)
    return ModelError(f"the reranker's model failed: {type(error).__name__}: {error}")
