"""Pairwise Ranking Prompting: a language model says which of two passages is more relevant.

Qin et al., "Large language models are effective text rankers with pairwise ranking prompting"
(2023). Each comparison is asked in both orders; a passage wins if it is preferred in both, and
anything else is a tie. N candidates, K places wanted:

- "allpair": wins + ties/2 against all others; N(N - 1)/2 comparisons, one round. Equal ones as in
  the first stage.
- "sorting": comparisons are taken for an order, and only as many are made as the first K places
  need. `sort` "heap" is the paper's heapsort; "tournament" needs fewer and asks more of them at the
  same time. A tie is won by the better of the first stage.
- "sliding": K bubble passes from the bottom; KN - K(K + 1)/2 comparisons, of which those that were
  made before are remembered. A tie changes nothing.

After the first K the rest keep the order of the first stage.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from typing import Literal

from ...ask.asking import Mode
from ...ask.fitting import plan
from ...core.bounds import Few, Tokens
from ...llm import LanguageModel
from ..config import RERANKERS, PromptingConfig, Shorthand
from ..placing import Course, Outcome, Placing
from ..protocol import Budget, Needs, Placed, Reranked, Task
from .board import Board, Comparison, Verdict
from .judge import PairwiseJudge
from .methods import METHODS, Method, all_pairs, needed

FIRST_ROUND = 8
"""Candidates of the first round of all pairs under a time limit; then twice as many."""

_Play = Generator[Sequence[Comparison], Sequence[Verdict | None], bool]


@RERANKERS.register
class PairwiseConfig(PromptingConfig):
    """Pairwise Ranking Prompting (Qin et al., 2023): a language model compares passages."""

    made_by = ".reranker:PairwiseReranker"
    shorthand = Shorthand(
        words={
            "pairwise": {},
            "pairwise-allpair": {"method": "allpair"},
            "pairwise-sorting": {"method": "sorting"},
            "pairwise-sliding": {"method": "sliding"},
        },
        argument="llm.model",
    )

    kind: Literal["pairwise"] = "pairwise"
    method: Literal["allpair", "sorting", "sliding"] = "sorting"
    """"allpair" compares all, "sorting" sorts by comparisons, "sliding" makes bubble passes."""
    sort: Literal["tournament", "heap"] = "tournament"
    """Of method "sorting": "tournament" asks less and in fewer rounds, "heap" is the
    paper's."""
    top_k: Few = 10
    """Places that are settled; "allpair" settles all."""
    mode: Mode = "scoring"
    """"scoring" compares likelihoods of the two answers, "generation" reads a written one."""
    passage_tokens: Tokens = 128
    """Tokens read of each passage, at most."""


class PairwiseReranker:
    """See the module and `PairwiseConfig`.

    Scores are those of "allpair", points from 0 to N - 1; the other methods only order.
    reasons: wins, ties, losses and comparisons of a candidate; in mode "scoring" also `margin`, the
    mean of log(p(this one) / p(the other)).

    A budget that does not suffice for all candidates is spent on the first n of them, as many as
    can be brought to an end; those behind them are not judged. Under a time limit a quarter of the
    candidates is done first, so that there is something to return.

    model: instead of that of the configuration. Raises UnsupportedError for one that cannot be
    asked in this mode.
    """

    kind = "pairwise"
    needs = Needs()

    def __init__(self, config: PairwiseConfig, model: LanguageModel | None = None) -> None:
        model = config.language_model() if model is None else model
        self._config = config
        self._judge = PairwiseJudge(model, config.mode, config.passage_tokens)
        self._placing: Placing[Comparison, Verdict] = Placing(self._judge)

    def rerank(self, tasks: Sequence[Task], budget: Budget | None = None) -> list[Reranked]:
        limits = budget or Budget()
        return self._placing.rerank(tasks, lambda task: self._course(task, limits), budget)

    def _course(self, task: Task, budget: Budget) -> Course[Comparison, Verdict]:
        board = Board(task, self._config.text)
        if self._config.method == "allpair":
            return _all_pairs(board, budget)
        return self._first_places(board, budget)

    def _first_places(self, board: Board, budget: Budget) -> Course[Comparison, Verdict]:
        method = self._config.method if self._config.method == "sliding" else self._config.sort
        k, settled, judged = self._config.top_k, list[int](), 0
        for size in plan(
            len(board),
            lambda n: needed(method, n, k),
            budget,
            lambda: self._judge.most(board.query, board.texts),
            self._placing.speed,
        ):
            now: list[int] = []
            done = yield from _play(board, METHODS[method](size, k, now))
            settled = now if done else [*now, *(i for i in settled if i not in now)]
            if not done:
                break
            judged = size
        placed = set(settled)
        order = [*settled, *(i for i in range(judged) if i not in placed)]
        return _outcome(board, order)


def _all_pairs(board: Board, budget: Budget) -> Course[Comparison, Verdict]:
    """Without answers for all pairs: the points among the first m, of which all pairs have them.

    One round; under a time limit, which goes on while questions are written down, several.
    """
    count, judged = len(board), min(len(board), 1)
    sizes = [count] if budget.milliseconds is None else [*_doubled(FIRST_ROUND, count), count]
    for size in sizes:
        pairs = all_pairs(size, since=judged)
        answers = (yield [board.question(pair) for pair in pairs]) if pairs else []
        answered = next((i for i, one in enumerate(answers) if one is None), len(pairs))
        begin = 0
        while judged < size and begin + judged <= answered:
            part = slice(begin, begin + judged)
            board.record(pairs[part], answers[part])
            begin, judged = begin + judged, judged + 1
        if judged < size:
            break
    if judged == 1 < count:  # nothing was compared
        judged = 0
    points = board.points(judged)
    return _outcome(board, sorted(range(judged), key=lambda i: -points[i]), points)


def _doubled(value: int, below: int) -> Iterator[int]:
    while value < below:
        yield value
        value *= 2


def _play(board: Board, method: Method) -> _Play:
    """Whether all that it wanted to know was answered."""
    with suppress(StopIteration):
        pairs = next(method)
        while True:
            answers = yield [board.question(pair) for pair in pairs]
            won = board.record(pairs, answers)
            if len(won) < len(pairs):
                return False
            pairs = method.send(won)
    return True


def _outcome(board: Board, order: Sequence[int], points: Sequence[float] | None = None) -> Outcome:
    reasons, seen = board.reasons(), set(order)
    judged = [Placed(i, None if points is None else points[i], reasons[i]) for i in order]
    rest = [Placed(i, judged=False) for i in range(len(board)) if i not in seen]
    return Outcome([*judged, *rest], complete=not rest)
