"""Chains of rerankers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twindex.core import ConfigError, ModelError, Usage
from twindex.rerank import Budget, Candidate, Chain, Needs, Placed, Reranked, Task
from twindex.rerank.scoring import Scored, ranked_by_score

from ..house import scaled


class Stage:
    """A reranker that scores by a function of the candidate; it may judge only some, or fail."""

    kind = "stage"

    def __init__(
        self,
        score: Callable[[Candidate], float],
        reach: int = 1_000,
        fails: Callable[[Task], bool] = lambda _: False,
        needs: Needs | None = None,
    ) -> None:
        self.score, self.reach, self.fails, self.needs = score, reach, fails, needs or Needs()
        self.seen: list[list[Candidate]] = []
        self.budgets: list[Budget | None] = []

    def rerank(self, tasks: Sequence[Task], budget: Budget | None = None) -> list[Reranked]:
        self.budgets.append(budget)
        return [self._one(task) for task in tasks]

    def _one(self, task: Task) -> Reranked:
        self.seen.append(list(task.candidates))
        if self.fails(task):
            order = [Placed(i, judged=False) for i in range(len(task.candidates))]
            return Reranked(order, "failed", Usage(calls=1), error=ModelError("no"))
        scores = [
            self.score(one) if i < self.reach else None for i, one in enumerate(task.candidates)
        ]
        status = "partial" if None in scores else "complete"
        used = Usage(calls=len(task.candidates), prompt_tokens=2 * len(task.candidates))
        return Reranked(
            ranked_by_score([None if one is None else Scored(one) for one in scores]),
            status,
            used,
            truncated=1,
            warnings=("w",),
        )


def task(size: int, query: str = "q") -> Task:
    return Task(query, [Candidate(str(i), "t", score=100.0 - i) for i in range(size)])


def number(one: Candidate) -> float:
    return float(one.id)


def parity(one: Candidate) -> float:
    return float(int(one.id) % 2)


@settings(max_examples=scaled(200), deadline=None)
@given(
    st.integers(0, 12),
    st.lists(
        st.tuples(
            st.lists(st.integers(0, 3), min_size=12, max_size=12),
            st.integers(1, 14),
            st.integers(0, 14),
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_chain_equals_repeated_sorting_of_the_top(size, stages):
    """The reference: a stable sort of the judged part of the top by the stage's scores."""
    rerankers = [
        (Stage(lambda one, table=table: float(table[int(one.id)]), reach), top)
        for table, top, reach in stages
    ]
    (found,) = Chain(rerankers).rerank([task(size)])
    expected = list(range(size))
    for table, top, reach in stages:
        head, judged = expected[:top], min(reach, top)
        head[:judged] = sorted(head[:judged], key=lambda i: -table[i])
        expected = head + expected[top:]
    assert [one.index for one in found.order] == expected
    assert len(found.stages) == len(stages)
    for (stage, _), before in zip(rerankers[1:], rerankers, strict=False):
        scores = [one.score for one in stage.seen[0]]
        assert scores == sorted(scores, reverse=True), "in the order of the stage before"
        assert before[0].seen


def test_later_stages_rerank_only_the_best_hits():
    first, second = Stage(parity), Stage(number)
    (found,) = Chain([(first, 6), (second, 3)]).rerank([task(8)])
    assert [one.id for one in first.seen[0]] == ["0", "1", "2", "3", "4", "5"]
    assert [one.id for one in second.seen[0]] == ["1", "3", "5"]
    assert [one.score for one in first.seen[0]] == [100, 99, 98, 97, 96, 95]
    assert [one.score for one in second.seen[0]] == [1, 1, 1], "the scores of the stage before"
    assert [one.index for one in found.order] == [5, 3, 1, 0, 2, 4, 6, 7]
    assert [one.score for one in found.order] == [5, 3, 1, None, None, None, None, None]
    assert [one.judged for one in found.order] == [True] * 6 + [False] * 2
    assert found.order[0].reasons == {"1.stage": {"score": 1.0}, "2.stage": {"score": 5.0}}
    assert found.usage == Usage(calls=9, prompt_tokens=18)
    assert found.warnings == ["1.stage: w", "2.stage: w"]
    assert (found.status, found.truncated) == ("complete", 1)


def test_unscored_hits_enter_the_next_stage_with_the_lowest_score():
    second = Stage(number)
    Chain([(Stage(number, reach=2), 4), (second, 4)]).rerank([task(4)])
    assert [(one.id, one.score) for one in second.seen[0]] == [
        ("1", 1.0), ("0", 0.0), ("2", 0.0), ("3", 0.0),
    ]  # fmt: skip
    last = Stage(number)
    Chain([(Stage(number, reach=0), 3), (last, 3)]).rerank([task(3)])
    assert [one.score for one in last.seen[0]] == [3.0, 2.0, 1.0]


def test_a_failing_stage_ends_the_chain_for_its_task_only():
    third = Stage(parity)
    chain = Chain([(Stage(number), 4), (Stage(parity, fails=lambda t: t.query == "bad"), 4),
                   (third, 4)])  # fmt: skip
    good, bad = chain.rerank([task(4, "good"), task(4, "bad")])
    assert (good.status, bad.status, str(bad.error)) == ("complete", "failed", "no")
    assert [one.index for one in bad.order] == [3, 2, 1, 0]
    assert [one.score for one in bad.order] == [None] * 4  # Units of stages differ.
    assert [one.index for one in good.order] == [3, 1, 2, 0]
    assert len(third.seen) == 1
    assert bad.usage.calls == 5


def test_stages_share_the_budget():
    first, second = Stage(number), Stage(number)
    chain = Chain([(first, 4), (second, 2)])
    budget = Budget(calls=5, tokens=100, milliseconds=10_000)
    chain.rerank([task(4), task(3)], budget)
    assert first.budgets[0].calls == 5
    assert [(one.calls, one.tokens) for one in second.budgets] == [(1, 92), (2, 94)]
    assert all(one.milliseconds <= 10_000 for one in second.budgets)


def test_chain_needs_the_data_of_all_stages():
    one, other = Needs(frozenset({"a"})), Needs(frozenset({"b"}), "dense")
    chain = Chain([(Stage(number, needs=one), 3), (Stage(number, needs=other), 3)])
    assert chain.needs == Needs(frozenset({"a", "b"}), "dense")
    with pytest.raises(
        ConfigError, match="vectors of the same leg, got 'dense' and 'x'; change the `leg`"
    ):
        _ = Chain([(Stage(number, needs=other), 3), (Stage(number, needs=Needs(vectors="x")), 3)]
                  ).needs  # fmt: skip
