"""Pairwise Ranking Prompting: a language model compares passages in pairs.

Qin et al., "Large language models are effective text rankers with pairwise ranking prompting"
(2023). The model compares a pair in both orders. A passage wins if it is preferred in both orders;
otherwise the result is a tie. For N candidates and the first K positions:

- "allpair": sorts by points (wins + ties/2) against all other candidates. N(N - 1)/2 comparisons in
  one round. Equal points keep the original order.
- "sorting": a sort that stops after K positions. `sort` "heap" is the paper's heapsort.
  "tournament" needs fewer comparisons and runs more of them in parallel. A tie is won by the
  candidate that comes first in the original order.
- "sliding": K bubble passes from the bottom. KN - K(K + 1)/2 comparisons, including repeated ones,
  which are cached. A tie changes nothing.

After the first K positions, candidates keep their original order.
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
from .methods import METHODS, Method, all_pairs, comparisons_needed

FIRST_ROUND = 8
"""Candidates in the first round of "allpair" under a time limit. Each round doubles the number."""

_MethodRun = Generator[Sequence[Comparison], Sequence[Verdict | None], bool]


@RERANKERS.register
class PairwiseConfig(PromptingConfig):
    """Pairwise Ranking Prompting (Qin et al., 2023): a language model compares two passages at a
    time."""

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
    """"allpair" compares all pairs, "sorting" sorts by comparisons, "sliding" is a bubble sort."""
    sort: Literal["tournament", "heap"] = "tournament"
    """Algorithm of the method "sorting": "tournament" needs fewer comparisons and rounds, "heap" is
    the heapsort of the paper."""
    top_k: Few = 10
    """Number of top positions to rank; "allpair" ranks all hits."""
    mode: Mode = "scoring"
    """"scoring" compares the likelihoods of both answers, "generation" reads a generated answer."""
    passage_tokens: Tokens = 128
    """Maximum tokens read of each passage; longer passages are cut."""


class PairwiseReranker:
    """Reranks by pairwise comparisons with a language model; see `PairwiseConfig`.

    model: the language model; None: load the one that the configuration describes.

    Only the method "allpair" gives scores: points from 0 to N - 1 for N candidates. The reasons of
    a candidate say how many wins, ties, losses and comparisons it has. In mode "scoring", they also
    have `margin`, the mean of log(p(this candidate) / p(the other)) over its comparisons.

    If the budget does not suffice for all candidates, only the first n are judged. n is the largest
    number of candidates that the budget suffices to rank. Under a time limit, a quarter of the
    candidates is ranked first, so that there is a result when the time is over.

    Raises UnsupportedError for a model that does not support the configured `mode`.
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
            lambda n: comparisons_needed(method, n, k),
            budget,
            lambda: self._judge.max_cost(board.query, board.texts),
            self._placing.speed,
        ):
            now: list[int] = []
            done = yield from _run_method(board, METHODS[method](size, k, now))
            settled = now if done else [*now, *(i for i in settled if i not in now)]
            if not done:
                break
            judged = size
        placed = set(settled)
        order = [*settled, *(i for i in range(judged) if i not in placed)]
        return _outcome(board, order)


def _all_pairs(board: Board, budget: Budget) -> Course[Comparison, Verdict]:
    """Run the method "allpair".

    If some pairs have no answer, ranks only the first m candidates, for the largest m whose pairs
    all have answers. Asks all questions in one round. Under a time limit, uses several rounds,
    because creating the questions takes time too.
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
    if judged == 1 < count:  # No pair was compared.
        judged = 0
    points = board.points(judged)
    return _outcome(board, sorted(range(judged), key=lambda i: -points[i]), points)


def _doubled(value: int, below: int) -> Iterator[int]:
    while value < below:
        yield value
        value *= 2


def _run_method(board: Board, method: Method) -> _MethodRun:
    """Run an algorithm and record its comparisons on the board.

    Returns True if all comparisons were answered, and False if the budget ran out.
    """
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
