"""Pairwise comparisons of the candidates of one query, and their results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ...ask import digest
from ..protocol import Task

Pair = tuple[int, int]
"""Positions of two different candidates in the original order."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A question: which of two passages is more relevant? The model reads them in both orders.

    first:  text of one passage. The two texts are sorted by digest, so that a pair of candidates
            always gives the same question.
    second: text of the other passage.
    key:    digests of `query`, `first` and `second`.
    """

    query: str
    first: str
    second: str
    key: tuple[bytes, bytes, bytes]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a comparison.

    winner: 1 = the first passage, -1 = the second, 0 = a tie.
    margin: log(p(first) / p(second)), where p is the likelihood that the model prefers a passage;
            the mean of both orders. None in mode "generation".
    """

    winner: Literal[1, 0, -1]
    margin: float | None = None


class Board:
    """The comparisons of one task's candidates, and their verdicts.

    A verdict is stored under the pair (i, j) of candidates, where i < j; winner 1 means that i won.
    """

    def __init__(self, task: Task, part: Literal["passage", "document"]) -> None:
        self.query = task.query
        self.texts = [candidate.read(part) for candidate in task.candidates]
        self._digests = [digest(text) for text in self.texts]
        self._key = digest(task.query)
        self._verdicts: dict[Pair, Verdict] = {}

    def __len__(self) -> int:
        return len(self.texts)

    def question(self, pair: Pair) -> Comparison:
        i, j = sorted(pair, key=lambda candidate: self._digests[candidate])
        key = (self._key, self._digests[i], self._digests[j])
        return Comparison(self.query, self.texts[i], self.texts[j], key)

    def record(self, pairs: Sequence[Pair], answers: Sequence[Verdict | None]) -> list[int]:
        """Store the verdicts of pairs of candidates, up to the first pair that has no answer.

        Returns for each stored pair: 1 = its first candidate won, -1 = the second won, 0 = a tie.
        """
        won = []
        for (i, j), answer in zip(pairs, answers, strict=True):
            if answer is None:
                break
            # If the digests are equal, the texts are equal, and either order is correct.
            seen = answer if self._digests[i] <= self._digests[j] else _reversed(answer)
            self._verdicts[min(i, j), max(i, j)] = seen if i < j else _reversed(seen)
            won.append(int(seen.winner))
        return won

    def points(self, count: int) -> list[float]:
        """Return the points of each of the first `count` candidates: wins + ties / 2.

        Only comparisons of two of these candidates count.
        """
        points = [0.0] * count
        for (i, j), verdict in self._verdicts.items():
            if j < count:
                points[i] += (1 + verdict.winner) / 2
                points[j] += (1 - verdict.winner) / 2
        return points

    def reasons(self) -> list[dict[str, Any]]:
        """Return for each candidate how many wins, ties, losses and comparisons it has.

        An entry `margin` is the mean of log(p(this candidate) / p(the other)) over its comparisons.
        The entry is missing in mode "generation", and for a candidate without comparisons.
        """
        tallies: list[dict[str, Any]] = [
            {"wins": 0, "ties": 0, "losses": 0, "comparisons": 0} for _ in self.texts
        ]
        margins: list[list[float]] = [[] for _ in self.texts]
        names = {1: "wins", 0: "ties", -1: "losses"}
        for pair, verdict in self._verdicts.items():
            for candidate, sign in zip(pair, (1, -1), strict=True):
                tallies[candidate][names[sign * verdict.winner]] += 1
                tallies[candidate]["comparisons"] += 1
                if verdict.margin is not None:
                    margins[candidate].append(sign * verdict.margin)
        for tally, values in zip(tallies, margins, strict=True):
            if values:
                tally["margin"] = sum(values) / len(values)
        return tallies


def _reversed(verdict: Verdict) -> Verdict:
    winner: Literal[1, 0, -1] = 1 if verdict.winner == -1 else -1 if verdict.winner == 1 else 0
    return Verdict(winner, None if verdict.margin is None else -verdict.margin)
