"""Computes how many items an algorithm can finish within its limits.

An algorithm that stops early wastes work: a list that is sorted from the bottom has no first item
yet. It therefore gets fewer items instead.
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
"""With a time limit, the first run gets 1 / FIRST of the items."""


def plan(
    count: int,
    needed: Callable[[int], int],
    limits: Limits,
    most: Callable[[], Cost],
    speed: float | None,
) -> Iterator[int]:
    """Yield the number of items for each run, as `sizes` does.

    count: number of items. needed: function from a number of items to the number of questions; it
    must not decrease. most: function that returns the maximum cost of a question. speed: tokens per
    second; None: unknown.
    """
    paid, timely = affordable(limits, most, speed, least=needed(2))
    return sizes(fitting(count, needed, timely), fitting(count, needed, paid), limits)


def affordable(
    limits: Limits, most: Callable[[], Cost], speed: float | None, least: int
) -> tuple[float, float]:
    """Return how many questions fit the limits on calls and tokens, and how many also fit the time.

    Both are infinite without a limit. Without a known speed, the second number equals the first.

    most: function that returns the maximum cost of a question. speed: tokens per second; None:
    unknown. least: minimum number of questions for the time limit. It ensures that a model which
    was slow once is called again.
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

    Returns 0 if even two items need more. A single item needs no questions, so if `count` is 0 or
    1, it is returned. needed: function from a number of items to the number of questions; it must
    not decrease.
    """
    return next(
        (n for n in range(count, 1, -1) if needed(n) <= most), min(count, 1) if count < 2 else 0
    )


def sizes(planned: int, count: int, limits: Limits) -> Iterator[int]:
    """Yield the number of items for each run.

    Without a time limit, there is one run of `planned` items. With a time limit, the first run gets
    a part of `planned`, the second all of it. While most of the time is left, each further run gets
    twice as many items, up to `count`. This happens if judgements were cached, or if the model is
    faster than expected.
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
