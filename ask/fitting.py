"""Computes how many items an algorithm, such as a sort, can finish within its limits.

If a limit stops an algorithm early, its work is wasted. A sort that finds the worst item first, for
example, does not know the best item yet. The algorithm therefore gets only as many items as it can
finish.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf
from time import perf_counter

from .config import Limits
from .meter import Cost

SHARE = 0.7
"""Fraction of the time limit that a plan uses, because the speed is an estimate."""

FIRST = 4
"""With a time limit, the first run of an algorithm gets 1 / FIRST of the planned items."""


def plan(
    count: int,
    needed: Callable[[int], int],
    limits: Limits,
    most: Callable[[], Cost],
    speed: float | None,
) -> Iterator[int]:
    """Yield the number of items for each run of an algorithm that asks a model questions.

    The function `sizes` chooses the runs.

    count:  number of items.
    needed: function that returns how many questions the algorithm asks about a number of items;
            more items must not need fewer questions.
    limits: limits of all runs together.
    most:   function that returns the maximum cost of a question.
    speed:  tokens that the model processes per second; None: unknown.
    """
    paid, timely = affordable(limits, most, speed, least=needed(2))
    return sizes(fitting(count, needed, timely), fitting(count, needed, paid), limits)


def affordable(
    limits: Limits, most: Callable[[], Cost], speed: float | None, least: int
) -> tuple[float, float]:
    """Return how many questions fit the limits on calls and tokens, and how many fit all limits.

    The second number also considers the time limit. Without limits, both numbers are infinite. If
    the speed is unknown, the second number equals the first.

    most:  function that returns the maximum cost of a question.
    speed: tokens that the model processes per second; None: unknown.
    least: number of questions that always count as fitting the time limit. Without this minimum, a
           model that was slow once would never be called again.
    """
    known = (limits.calls, limits.tokens, None if speed is None else limits.milliseconds)
    if all(limit is None for limit in known):
        return inf, inf
    cost, paid = most(), inf
    calls, tokens = max(1, cost.calls), max(1, cost.tokens)
    if limits.calls is not None:
        paid = min(paid, limits.calls // calls)
    if limits.tokens is not None:
        paid = min(paid, limits.tokens // tokens)
    if limits.milliseconds is None or speed is None:
        return paid, paid
    return paid, min(paid, max(least, limits.milliseconds / 1e3 * SHARE * speed // tokens))


def fitting(count: int, needed: Callable[[int], int], most: float) -> int:
    """Return the largest number of items, up to `count`, that need at most `most` questions.

    Returns 0 if even two items need more questions. A single item needs none, so a `count` of 0 or
    1 is returned unchanged.

    needed: function that returns the number of questions for a number of items; more items must not
            need fewer questions.
    """
    return next(
        (n for n in range(count, 1, -1) if needed(n) <= most), min(count, 1) if count < 2 else 0
    )


def sizes(planned: int, count: int, limits: Limits) -> Iterator[int]:
    """Yield the number of items for each run of an algorithm.

    planned: number of items that should fit the limits.
    count:   number of all items.

    Without a time limit, there is one run of `planned` items. With a time limit, the first run gets
    a quarter of `planned`, and the second run gets `planned` items. While most of the time limit
    remains, each further run gets twice as many items as the last, up to `count`. Time remains if
    answers were cached, or if the model is faster than expected.
    """
    began = perf_counter()
    if limits.milliseconds is not None and planned > FIRST:
        yield -(-planned // FIRST)
    yield planned
    if limits.milliseconds is None:
        return
    early = began + (1 - SHARE) * limits.milliseconds / 1e3
    while 0 < planned < count and perf_counter() < early:
        planned = min(count, 2 * planned)
        yield planned
