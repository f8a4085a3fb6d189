"""Comparisons of one query's candidates: what is asked, and what came out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ...ask import digest
from ..protocol import Task

Pair = tuple[int, int]
"""Two different candidates by their places in the first stage."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Which of two passages is more relevant, asked in both orders.

    The texts stand in the order of their digests, so that it is the same question whichever of the
    candidates comes first. key: digests of query, first and second.
    """

    query: str
    first: str
    second: str
    key: tuple[bytes, bytes, bytes]


@dataclass(frozen=True, slots=True)
class Verdict:
    """winner: 1 = the first passage, -1 = the second, 0 = a tie. margin: how much likelier the
    model found the first than the second, log(p / p) of its two answers, the mean of both orders;
    None where it wrote its answers."""

    winner: Literal[1, 0, -1]
    margin: float | None = None


class Board:
    """The verdicts on one task, by pairs (i, j) with i < j and from i's point of view."""

    def __init__(self, task: Task, part: Literal["passage", "document"]) -> None:
        self.query = task.query
        self.texts = [candidate.read(part) for candidate in task.candidates]
        self._digests = [digest(text) for text in self.texts]
        self._key = digest(task.query)
        self._verdicts: dict[Pair, Verdict] = {}

    def __len__(self) -> int:
        return len(self.texts)

    def question(self, pair: Pair) -> Comparison:
        i, j = sorted(pair, key=lambda place: self._digests[place])
        key = (self._key, self._digests[i], self._digests[j])
        return Comparison(self.query, self.texts[i], self.texts[j], key)

    def record(self, pairs: Sequence[Pair], answers: Sequence[Verdict | None]) -> list[int]:
        """Of each pair 1 if its first candidate won, -1 if its second did, 0 for a tie; up to the
        first that was not answered."""
        won = []
        for (i, j), answer in zip(pairs, answers, strict=True):
            if answer is None:
                break
            # Of equal digests the texts are the same, and either order is right.
            seen = answer if self._digests[i] <= self._digests[j] else _turned(answer)
            self._verdicts[min(i, j), max(i, j)] = seen if i < j else _turned(seen)
            won.append(int(seen.winner))
        return won

    def points(self, count: int) -> list[float]:
        """Of each of the first `count` candidates: wins and half the ties against the others."""
        points = [0.0] * count
        for (i, j), verdict in self._verdicts.items():
            if j < count:
                points[i] += (1 + verdict.winner) / 2
                points[j] += (1 - verdict.winner) / 2
        return points

    def reasons(self) -> list[dict[str, Any]]:
        """Of each candidate: how its comparisons ended; `margin` is the mean of theirs."""
        tallies: list[dict[str, Any]] = [
            {"wins": 0, "ties": 0, "losses": 0, "comparisons": 0} for _ in self.texts
        ]
        margins: list[list[float]] = [[] for _ in self.texts]
        names = {1: "wins", 0: "ties", -1: "losses"}
        for pair, verdict in self._verdicts.items():
            for place, sign in zip(pair, (1, -1), strict=True):
                tallies[place][names[sign * verdict.winner]] += 1
                tallies[place]["comparisons"] += 1
                if verdict.margin is not None:
                    margins[place].append(sign * verdict.margin)
        for tally, values in zip(tallies, margins, strict=True):
            if values:
                tally["margin"] = sum(values) / len(values)
        return tallies


def _turned(verdict: Verdict) -> Verdict:
    winner: Literal[1, 0, -1] = 1 if verdict.winner == -1 else -1 if verdict.winner == 1 else 0
    return Verdict(winner, None if verdict.margin is None else -verdict.margin)
