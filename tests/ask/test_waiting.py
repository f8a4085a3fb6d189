"""Deadlines are always kept, and the time is used well."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from twindex.ask import Judgement
from twindex.ask.meter import Cost
from twindex.ask.waiting import UNDER_WAY, Overdue, Waiting
from twindex.core import ModelError, Usage
from twindex.llm.stopping import check_caller
from twindex.rerank import Budget, Candidate, FakeRerankerConfig, Task, rerank_one
from twindex.rerank.fake import FakeReranker
from twindex.rerank.placing import Placing
from twindex.rerank.scoring import Scored, by_score

SLACK = 0.05


def hits(number: int) -> list[Candidate]:
    return [Candidate(f"d{i}", f"word{i}" + " query" * (i % 3 == 2)) for i in range(number)]


def timed(run):
    began = time.perf_counter()
    return run(), time.perf_counter() - began


@dataclass
class Held:
    """A judge that answers only after `gate` is set."""

    gate: threading.Event = field(default_factory=threading.Event)
    running: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def costs(self, questions: Sequence[int]) -> list[Cost]:
        return [Cost(1, 1)] * len(questions)

    def ask(self, questions: Sequence[int]) -> list[Judgement[float]]:
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
        self.gate.wait(30)
        with self.lock:
            self.running -= 1
        return [Judgement(float(question), Usage(calls=1)) for question in questions]

    def key(self, question: int) -> Hashable:
        return question


@pytest.fixture
def held():
    judge = Held()
    yield judge
    judge.gate.set()


def place(task: Task, candidate: Candidate, number: int) -> int:
    return number


def test_silent_model_does_not_exceed_the_time_limit(held):
    rounds: Placing[int, float] = Placing(held)
    (found,), seconds = timed(
        lambda: rounds.rerank(
            [Task("q", hits(5))], lambda one: by_score(one, place, Scored), Budget(milliseconds=200)
        )
    )
    assert seconds < 0.2 + SLACK
    assert (found.status, [one.index for one in found.order]) == ("partial", [0, 1, 2, 3, 4])
    assert found.usage.calls == 0


def test_late_answers_are_cached(held):
    rounds: Placing[int, float] = Placing(held)

    def ask():
        return rounds.rerank(
            [Task("q", hits(1))], lambda one: by_score(one, place, Scored), Budget(milliseconds=50)
        )[0]

    assert ask().status == "partial"
    held.gate.set()
    for _ in range(100):
        if held.running == 0:
            break
        time.sleep(0.01)
    time.sleep(0.05)
    found = ask()
    assert (found.status, found.usage.calls, found.usage.cache_hits) == ("complete", 0, 1)


def test_interpreter_waits_for_running_calls_at_exit():
    program = (
        "import time\n"
        "from twindex.ask.waiting import Overdue, Waiting\n"
        "def slow():\n    time.sleep(0.5)\n    print('done', flush=True)\n"
        "try:\n    Waiting().call(slow, 1, time.perf_counter() + 0.05)\n"
        "except Overdue:\n    print('late')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()) == (0, ["late", "done"])


def test_slow_model_gives_a_partial_result_in_time():
    """With 20 ms for each of 100 hits, a limit of 200 ms allows only some of them."""
    reranker = FakeReranker(FakeRerankerConfig(milliseconds=20))
    budget = Budget(milliseconds=200)
    for _ in range(3):
        found, seconds = timed(lambda: rerank_one(reranker, "query", hits(100), budget))
        assert seconds < 0.2 + SLACK
        assert found.status == "partial"
        assert sorted(one.index for one in found.order) == list(range(100))
        judged = [one for one in found.order if one.judged]
        assert found.order[: len(judged)] == judged
        rest = [one.index for one in found.order[len(judged) :]]
        assert rest == sorted(rest)
        scores = [one.score for one in judged]
        assert scores == sorted(scores, reverse=True)
    # Judgements are cached, so later requests get further.
    assert len(judged) >= 9
    assert found.usage.cache_hits > 0


def test_enough_time_gives_a_complete_result():
    reranker = FakeReranker(FakeRerankerConfig(milliseconds=1))
    found = rerank_one(reranker, "query", hits(20), Budget(milliseconds=5_000))
    assert (found.status, found.usage.calls) == ("complete", 20)
    assert [one.index for one in found.order][:6] == [2, 5, 8, 11, 14, 17]


def test_failure_before_the_deadline_is_reported():
    reranker = FakeReranker(FakeRerankerConfig(fails_at=3))
    found = rerank_one(reranker, "query", hits(20), Budget(milliseconds=5_000))
    assert (found.status, type(found.error)) == ("failed", ModelError)


def test_late_tasks_are_partial_and_failed_tasks_are_failed():
    class Mixed(Held):
        def ask(self, questions):
            if len(questions) > 1 or questions[0] == 1:
                raise ModelError("refused")
            if questions[0] == 3:
                time.sleep(0.4)
            return [Judgement(0.5, Usage(calls=1)) for _ in questions]

    rounds: Placing[int, float] = Placing(Mixed())
    rounds._waiting._learn(1e-6)  # All questions then fit in one batch.
    tasks = [Task(str(i), hits(1)) for i in range(4)]
    found = rounds.rerank(
        tasks,
        lambda one: by_score(one, lambda task, candidate, number: int(task.query), Scored),
        Budget(milliseconds=200),
    )
    assert [one.status for one in found] == ["complete", "failed", "complete", "partial"]
    assert [one.error is None for one in found] == [True, False, True, True]


def test_running_calls_are_limited(held):
    rounds: Placing[int, float] = Placing(held)

    def one(number: int, milliseconds: int = 100):
        return rounds.rerank(
            [Task("q", hits(2))],
            lambda task: by_score(task, lambda *_: number, Scored),
            Budget(milliseconds=milliseconds),
        )[0]

    before = threading.active_count()
    with ThreadPoolExecutor(20) as pool:
        found, seconds = timed(lambda: list(pool.map(one, range(40))))
        assert all(result.status == "partial" for result in found)
        assert seconds < 2 * (0.1 + 2 * SLACK)
    assert held.most <= UNDER_WAY
    assert threading.active_count() <= before + UNDER_WAY
    (after,), seconds = timed(lambda: [one(99)])
    assert seconds < SLACK  # It does not wait.
    assert "still busy" in after.warnings[0]
    held.gate.set()  # The late calls end, and the model is free again.
    for _ in range(500):
        if rounds._waiting._behind == 0:
            break
        time.sleep(0.01)
    assert one(100, 20_000).status == "complete"


def test_model_that_was_slow_once_is_called_again():
    waiting = Waiting()
    waiting._learn(30.0)  # A first call that loaded the weights.
    refused = 0
    while waiting.chunk([Cost(1, 1)] * 10, time.perf_counter() + 0.2) == 0:
        refused += 1
    assert 5 <= refused <= 10


def test_call_size_grows_with_the_measured_speed():
    waiting = Waiting()
    costs = [Cost(1, 10)] * 100
    soon = time.perf_counter() + 10.0
    assert waiting.chunk(costs, None) == 100
    assert waiting.chunk(costs, soon) == 1
    waiting._learn(0.01)  # 0.1 s for a question, so 40 % of 10 s allow 40 questions.
    assert 38 <= waiting.chunk(costs, soon) <= 40
    assert waiting.chunk(costs, time.perf_counter() - 1) == 0


def test_exception_of_a_call_reaches_the_caller():
    def fail() -> None:
        raise ModelError("bad")

    waiting = Waiting()
    for deadline in (None, time.perf_counter() + 5):
        with pytest.raises(ModelError, match="bad"):
            waiting.call(fail, 1, deadline)
    with pytest.raises(Overdue):
        waiting.call(lambda: time.sleep(0.2), 1, time.perf_counter() + 0.02)
    assert waiting.call(lambda: 7, 1, time.perf_counter() + 5) == 7


class Leaving:
    """A guard of a caller that leaves soon."""

    def __init__(self) -> None:
        self.checks = 0

    def check(self) -> None:
        self.checks += 1
        if self.checks > 1:
            raise InterruptedError


@pytest.mark.parametrize("leaves", [True, False], ids=["left", "late"])
def test_a_call_ends_if_its_caller_left_but_not_if_it_is_late(leaves):
    """A late result is remembered for the next caller."""
    told, seen = threading.Event(), threading.Event()

    def call() -> None:
        try:
            while not seen.wait(0.005):
                check_caller()
        except BaseException:
            told.set()
            raise

    limits = (None, Leaving()) if leaves else (time.perf_counter() + 0.05,)
    try:
        with pytest.raises(InterruptedError if leaves else Overdue):
            Waiting().call(call, 1, *limits)
        assert told.wait(5 if leaves else 0.1) == leaves
    finally:
        seen.set()
