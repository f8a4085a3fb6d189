"""Courses under budgets: limits hold, the budget is used, every hit occurs once."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twindex.ask import Judgement
from twindex.ask.meter import Cost
from twindex.core import InvalidInputError, ModelError, Usage
from twindex.rerank import Budget, Candidate, Placed, Reranked, Task
from twindex.rerank.placing import Course, Outcome, Placing
from twindex.rerank.scoring import Scored, by_score, ranked_by_score

from ..house import scaled


@dataclass
class Judge:
    """A judge that answers a number with its remainder, and records the questions.

    spent:  fraction of its cost that a question uses.
    broken: question -> exception that it raises.
    """

    costs_: dict[int, int] = field(default_factory=dict)
    spent: float = 1.0
    broken: dict[int, Exception] = field(default_factory=dict)
    no_cost: set[int] = field(default_factory=set)
    dead: bool = False
    asked: list[list[int]] = field(default_factory=list)
    attempts: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def costs(self, questions: Sequence[int]) -> list[Cost]:
        if self.no_cost & set(questions):
            raise ValueError("no tokens")
        return [Cost(1, self.costs_.get(question, 1)) for question in questions]

    def ask(self, questions: Sequence[int]) -> list[Judgement[float]]:
        with self.lock:
            self.attempts += 1
        if self.dead:
            raise ConnectionError("nobody there")
        for question in questions:
            if question in self.broken:
                raise self.broken[question]
        with self.lock:
            self.asked.append(list(questions))
        return [
            Judgement(
                float(question % 7),
                Usage(calls=1, prompt_tokens=int(self.spent * self.costs_.get(question, 1))),
            )
            for question in questions
        ]

    def key(self, question: int) -> Hashable:
        return question

    @property
    def all(self) -> Counter[int]:
        return Counter(question for batch in self.asked for question in batch)


def task(size: int, query: str = "q") -> Task:
    return Task(query, [Candidate(f"d{i}", f"text {i}", score=float(-i)) for i in range(size)])


def course(rounds: Sequence[Sequence[int]], seen: list[list[float | None]], size: int):
    """Ask these questions and record the answers. Candidates are sorted by the sum of answers."""

    def run(given: Task) -> Course[int, float]:
        total = [0.0] * len(given.candidates)
        for questions in rounds:
            answers = yield list(questions)
            seen.append(list(answers))
            for number, answer in enumerate(answers):
                if size and total:
                    total[number % len(total)] += answer or 0.0
        return ranked_by_score([*map(Scored, total)])

    return run


def order_of(found: Reranked) -> list[int]:
    return [one.index for one in found.order]


ROUNDS = st.lists(st.lists(st.integers(0, 25), max_size=12), max_size=4)


@settings(max_examples=scaled(300), deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 6), ROUNDS), max_size=4),
    st.dictionaries(st.integers(0, 25), st.integers(0, 20)),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.none() | st.integers(0, 30),
    st.none() | st.integers(0, 100),
    st.none() | st.integers(0, 6),
    st.sampled_from([0, 1, 3, 100]),
)
def test_budgets_hold_and_results_are_permutations(
    plans, costs, spent, calls, tokens, candidates, remembered
):
    judge = Judge(costs, spent)
    rounds: Placing[int, float] = Placing(judge, remembered=remembered)
    budget = Budget(calls=calls, tokens=tokens, candidates=candidates)
    seen: list[list[list[float | None]]] = [[] for _ in plans]
    tasks = [task(size, f"{number}") for number, (size, _) in enumerate(plans)]

    def begin(given_: Task) -> Course[int, float]:
        number = int(given_.query)
        size, questions = plans[number]
        return course(questions, seen[number], size)(given_)

    results = rounds.rerank(tasks, begin, budget)
    for (size, questions), found, answers in zip(plans, results, seen, strict=True):
        assert sorted(order_of(found)) == list(range(size))
        used = found.usage.prompt_tokens + found.usage.completion_tokens
        assert calls is None or found.usage.calls <= calls
        assert tokens is None or used <= tokens
        complete = all(answer is not None for batch in answers for answer in batch)
        limited = candidates is not None and candidates < size
        assert found.status == ("complete" if complete and not limited else "partial")
        flat = [answer for batch in answers for answer in batch]
        asked = [question for batch in questions for question in batch]
        assert all(a is None or a == q % 7 for a, q in zip(flat, asked, strict=True))
        if calls is None and tokens is None:
            assert complete
        # After a round with a missing answer, later rounds get no answers.
        short = [None in batch for batch in answers]
        if True in short:
            later = answers[short.index(True) + 1 :]
            assert all(answer is None for batch in later for answer in batch)
    # In one round, equal questions are asked once, even without a cache.
    assert all(count == 1 for batch in judge.asked for count in Counter(batch).values())
    if remembered == 100:
        assert all(count == 1 for count in judge.all.values())
    assert sum(judge.all.values()) == sum(found.usage.calls for found in results)


@settings(max_examples=scaled(100), deadline=None)
@given(st.integers(0, 12), st.integers(0, 12))
def test_exactly_the_allowed_calls_are_made(questions, calls):
    judge, seen = Judge(), []
    rounds: Placing[int, float] = Placing(judge)
    begin = course([range(questions)], seen, 3)
    (found,) = rounds.rerank([task(3)], begin, Budget(calls=calls))
    assert found.usage.calls == min(calls, questions)
    assert [a is not None for a in seen[0]] == [i < calls for i in range(questions)]
    assert len(judge.asked) == min(1, calls, questions)  # One batch.


def test_reserved_but_unspent_tokens_are_used():
    """A question may cost 10 tokens and uses 3. So 30 tokens suffice for 8 questions, not 3."""
    judge, seen = Judge(dict.fromkeys(range(20), 10), 0.3), []
    (found,) = Placing(judge).rerank([task(2)], course([range(20)], seen, 2), Budget(tokens=30))
    assert found.usage.calls == 7
    assert found.usage.prompt_tokens == 21  # 21 + 10 > 30
    assert found.status == "partial"
    assert [answer is not None for answer in seen[0]] == [True] * 7 + [False] * 13


def test_two_tasks_share_a_question_and_one_batch():
    judge = Judge()
    rounds: Placing[int, float] = Placing(judge)
    tasks = [task(3, "a"), task(3, "b")]
    found = rounds.rerank(tasks, course([[1, 2, 3]], [], 3), Budget(calls=3))
    assert judge.asked == [[1, 2, 3]]
    assert [one.usage.calls for one in found] == [3, 0]
    assert [one.usage.cache_hits for one in found] == [0, 3]
    assert [one.status for one in found] == ["complete", "complete"]


def test_a_shared_answer_leaves_the_budget_for_the_next_question():
    """The second task does not spend its two calls on a question of the first task."""
    judge = Judge()
    plans = {"a": [1, 2], "b": [1, 2, 3, 4]}
    rounds: Placing[int, float] = Placing(judge)
    found = rounds.rerank(
        [task(2, "a"), task(2, "b")],
        lambda one: course([plans[one.query]], [], 2)(one),
        Budget(calls=2),
    )
    assert [one.status for one in found] == ["complete", "complete"]
    assert judge.all == Counter([1, 2, 3, 4])


def test_the_same_question_twice_costs_once():
    judge, seen = Judge(), []
    (found,) = Placing(judge, remembered=0).rerank(
        [task(2)], course([[5, 5, 6, 5]], seen, 2), Budget(calls=2)
    )
    assert judge.asked == [[5, 6]]
    assert seen == [[5.0, 5.0, 6.0, 5.0]]
    assert (found.usage.calls, found.usage.cache_hits, found.status) == (2, 2, "complete")


def test_cached_answers_need_no_budget():
    judge, seen = Judge(), []
    rounds: Placing[int, float] = Placing(judge)
    rounds.rerank([task(2)], course([[1, 2]], [], 2))
    (found,) = rounds.rerank([task(2)], course([[1, 2]], seen, 2), Budget(calls=0, tokens=0))
    assert seen == [[1.0, 2.0]]
    assert (found.status, found.usage) == ("complete", Usage(cache_hits=2))


def test_one_bad_text_fails_its_task_only():
    judge = Judge(broken={13: ValueError("bad text")})
    plans = {"a": [1, 2], "b": [3, 13], "c": [4, 5], "d": [6, 13]}
    tasks = [task(3, name) for name in plans]
    found = Placing(judge).rerank(tasks, lambda one: course([plans[one.query]], [], 2)(one))
    assert [one.status for one in found] == ["complete", "failed", "complete", "failed"]
    assert isinstance(found[1].error, ModelError)
    assert "bad text" in str(found[1].error)
    assert found[1].order == [Placed(i, judged=False) for i in range(3)]


def test_many_texts_that_the_model_refuses_do_not_fail_the_others():
    refused = InvalidInputError("too long", field="prompts[0]")
    judge = Judge(broken=dict.fromkeys(range(100, 105), refused))
    plans = {str(i): [100 + i if i < 5 else i] for i in range(8)}
    tasks = [task(2, name) for name in plans]
    found = Placing(judge).rerank(tasks, lambda one: course([plans[one.query]], [], 2)(one))
    assert [one.status for one in found] == ["failed"] * 5 + ["complete"] * 3
    assert found[0].error is refused


def test_a_text_without_costs_fails_its_task_only():
    judge = Judge(no_cost={13})
    plans = {"a": [1, 2], "b": [3, 13], "c": [4, 5]}
    tasks = [task(3, name) for name in plans]
    found = Placing(judge).rerank(tasks, lambda one: course([plans[one.query]], [], 2)(one))
    assert [one.status for one in found] == ["complete", "failed", "complete"]
    assert judge.all == Counter([1, 2, 4, 5])


def test_a_dead_model_fails_all_after_a_few_attempts():
    judge = Judge(dead=True)
    tasks = [task(2, str(i)) for i in range(50)]
    found = Placing(judge).rerank(tasks, lambda one: course([[int(one.query)]], [], 2)(one))
    assert all(one.status == "failed" and isinstance(one.error, ModelError) for one in found)
    assert judge.attempts == 3


def test_a_model_that_fails_later_keeps_the_original_order():
    judge = Judge(broken={9: ModelError("gone")})
    (found,) = Placing(judge).rerank([task(4)], course([[6, 5], [9]], [], 4))
    assert (found.status, order_of(found)) == ("failed", [0, 1, 2, 3])
    assert found.usage.calls == 2
    assert all(not one.judged and one.score is None for one in found.order)


def test_too_few_judgements_are_a_failure():
    class Short(Judge):
        def ask(self, questions):
            return super().ask(questions)[:-1]

    (found,) = Placing(Short()).rerank([task(2)], course([[1, 2]], [], 2))
    assert found.status == "failed"


def test_an_error_of_a_course_fails_its_task_only():
    def run(one: Task) -> Course[int, float]:
        answers = yield [1]
        if one.query == "bad":
            raise ModelError("cannot be read")
        return ranked_by_score([Scored(answers[0]), *[Scored(0.0)] * (len(one.candidates) - 1)])

    good, bad = Placing(Judge()).rerank([task(2, "good"), task(2, "bad")], run)
    assert (good.status, bad.status, str(bad.error)) == ("complete", "failed", "cannot be read")


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -float("inf")])
def test_a_score_that_is_not_a_number_fails(score):
    def run(one: Task) -> Course[int, float]:
        yield [1]
        return ranked_by_score([Scored(0.5), Scored(score)])

    (found,) = Placing(Judge()).rerank([task(2)], run)
    assert found.status == "failed"
    assert "candidate 1" in str(found.error)


def test_an_incomplete_outcome_is_partial_with_warnings():
    def run(one: Task) -> Course[int, float]:
        answers = yield [1, 2]
        return Outcome(
            ranked_by_score([Scored(answers[0]), None]), complete=False, warnings=["no answer to 2"]
        )

    (found,) = Placing(Judge()).rerank([task(2)], run)
    assert (found.status, found.warnings) == ("partial", ("no answer to 2",))


def test_equal_scores_keep_their_order():
    def question(one: Task, candidate: Candidate, place: int) -> int:
        return 7 * place + (place == 3)

    (found,) = Placing(Judge()).rerank([task(6)], lambda one: by_score(one, question, Scored))
    assert order_of(found) == [3, 0, 1, 2, 4, 5]
    assert [one.score for one in found.order] == [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]


def test_cut_texts_count_once_and_are_not_cached():
    class Cutting(Judge):
        def ask(self, questions):
            text = "a long text"
            return [Judgement(1.0, Usage(calls=1), truncated=(text,)) for _ in questions]

    rounds: Placing[int, float] = Placing(Cutting())
    (found,) = rounds.rerank([task(2)], course([[1, 2], [3]], [], 2))
    assert found.truncated == 1
    (again,) = rounds.rerank([task(2)], course([[1]], [], 2))
    assert (again.truncated, again.usage.calls) == (1, 0)
    remembered = rounds._memory.get(1)
    assert remembered is not None
    assert all(isinstance(one, bytes) for one in remembered.truncated)


def test_many_threads_get_the_results_of_one():
    def plan(number: int) -> list[list[int]]:
        numbers = random.Random(number)
        return [[numbers.randrange(60) for _ in range(8)] for _ in range(4)]

    def run(rounds: Placing[int, float], number: int) -> list[Placed]:
        (found,) = rounds.rerank([task(5)], course(plan(number), [], 5), Budget(calls=100))
        assert found.status == "complete"
        return list(found.order)

    expected = [run(Placing(Judge()), number) for number in range(40)]
    judge = Judge()
    shared: Placing[int, float] = Placing(judge, remembered=20)
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(lambda number: run(shared, number), range(40))) == expected


def test_tasks_without_questions_are_complete():
    rounds: Placing[int, float] = Placing(Judge())
    assert rounds.rerank([], course([[1]], [], 0)) == []
    (found,) = rounds.rerank([task(0)], course([], [], 0), Budget(candidates=0))
    assert (found.status, found.order) == ("complete", [])
