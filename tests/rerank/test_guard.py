"""A guard ends a reranking between calls of its model."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from twindex.ask.rounds import GUARDED_COSTS, GUARDED_QUESTIONS, GUARDED_TOKENS
from twindex.core import Guard
from twindex.rerank import (
    Candidate,
    Chain,
    DiversityConfig,
    FakeRerankerConfig,
    IntraDocumentConfig,
    Reranker,
    Task,
    load_reranker,
    rerank_one,
)
from twindex.rerank.fake import FakeReranker

WORDS = 500
FIT = GUARDED_TOKENS // (WORDS + 1)
"""Maximum questions of one call under a guard."""


class Gone(Exception):  # noqa: N818 - an event
    """Raised when the caller has left."""


@pytest.fixture(autouse=True)
def quick_calls(monkeypatch) -> None:
    """Let no call last until the guard is checked during it, because tests count the checks."""
    monkeypatch.setattr("twindex.ask.waiting.POLL", 60.0)


class Leaving:
    """A guard whose caller leaves after some checks."""

    def __init__(self, checks: int) -> None:
        self.left = checks

    def __call__(self) -> None:
        if self.left == 0:
            raise Gone
        self.left -= 1

    @property
    def guard(self) -> Guard:
        return Guard(self)


def sizes_of(method: str, monkeypatch) -> list[int]:
    """Record the number of questions in each call of a method of the fake judge."""
    from twindex.rerank import fake

    sizes: list[int] = []
    real = getattr(fake._FakeJudge, method)

    def noting(self, questions):
        sizes.append(len(questions))
        return real(self, questions)

    monkeypatch.setattr(fake._FakeJudge, method, noting)
    return sizes


@pytest.fixture
def asked(monkeypatch) -> list[int]:
    """Record the sizes of the calls of fake models."""
    return sizes_of("ask", monkeypatch)


def candidates(count: int) -> list[Candidate]:
    return [Candidate(f"d{i}", f"{i} " + "word " * (WORDS - 1)) for i in range(count)]


def fake() -> FakeReranker:
    return FakeReranker(FakeRerankerConfig())


def test_calls_under_a_guard_are_small_and_checked(asked):
    count = 5 * FIT
    costs = (count - 1) // GUARDED_COSTS
    leaving = Leaving(1 + costs + 2)  # The round, all costs except the first, two calls.
    with pytest.raises(Gone):
        rerank_one(fake(), "q", candidates(count), guard=leaving.guard)
    assert asked == [FIT, FIT]


def test_a_guard_also_ends_the_computation_of_costs(asked, monkeypatch):
    told = sizes_of("costs", monkeypatch)
    given = candidates(3 * GUARDED_COSTS)
    with pytest.raises(Gone):
        rerank_one(fake(), "q", given, guard=Leaving(2).guard)
    assert told == [GUARDED_COSTS, GUARDED_COSTS]
    assert rerank_one(fake(), "q", given).status == "complete"
    assert told[2:] == [3 * GUARDED_COSTS], "without a guard all are told at once"


def test_a_guard_that_never_raises_changes_nothing(asked):
    given = candidates(3 * FIT + 1)
    guarded = rerank_one(fake(), "1 2", given, guard=Leaving(-1).guard)
    assert asked == [FIT, FIT, FIT, 1]
    plain = rerank_one(fake(), "1 2", given)
    assert asked[4:] == [3 * FIT + 1], "without a guard all are asked at once"
    assert guarded.order == plain.order
    assert (guarded.status, guarded.usage.calls) == ("complete", plain.usage.calls)


def test_long_questions_are_asked_several_at_a_time(asked):
    given = [Candidate(str(i), f"{i} " * GUARDED_TOKENS) for i in range(GUARDED_QUESTIONS + 1)]
    assert rerank_one(fake(), "q", given, guard=Leaving(-1).guard).status == "complete"
    assert asked == [GUARDED_QUESTIONS, 1]


@pytest.mark.parametrize(
    "reranker",
    [
        lambda: Chain([(fake(), 10), (fake(), 5)]),
        lambda: load_reranker(DiversityConfig()),
        lambda: load_reranker(IntraDocumentConfig(slow=FakeRerankerConfig())),
    ],
    ids=["chain", "mmr", "intra-document"],
)
def test_a_guard_ends_every_kind_of_reranker(reranker):
    made: Reranker = reranker()
    tasks: Sequence[Task] = [Task("word", candidates(10), Leaving(0).guard)]
    with pytest.raises(Gone):
        made.rerank(tasks)
    (found,) = made.rerank([Task("word", candidates(10), Leaving(-1).guard)])
    assert found.status in ("complete", "partial")


def test_a_chain_ends_between_its_stages(asked):
    chain = Chain([(fake(), 10), (fake(), 5)])
    with pytest.raises(Gone):
        chain.rerank([Task("q", candidates(10), Leaving(2).guard)])
    assert asked == [10]
