"""How many items an algorithm can bring to an end with what its limits leave it.

An algorithm that is cut short in the middle has done much for nothing: a list that is sorted from
the bottom has no first place yet. So it is given fewer items instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf
from time import perf_counter

from .config import Limits
from .meter import Cost

SHARE = 0.7
"""Of the milliseconds that are planned with: speed is an estimate."""

FIRST = 4
"""Under a time limit, one of so many items is done before all are."""


def plan(
    count: int,
    needed: Callable[[int], int],
    limits: Limits,
    most: Callable[[], Cost],
    speed: float | None,
) -> Iterator[int]:
    """How many of `count` items are done at first, and then; see `sizes`.

    needed: questions for n items; never fewer for more of them. most: what a question costs at
    most. speed: tokens a second; None = not known yet.
    """
    paid, timely = affordable(limits, most, speed, least=needed(2))
    return sizes(fitting(count, needed, timely), fitting(count, needed, paid), limits)


def affordable(
    limits: Limits, most: Callable[[], Cost], speed: float | None, least: int
) -> tuple[float, float]:
    """How many questions the calls and tokens of the limits pay for, and how many of those the time
    allows. Both are infinite without a limit; the second is the first without a known speed.

    most: what a question costs at most. speed: tokens a second. least: questions that always
    fit the time: only another call shows that a model which was slow once is fast now.
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
    """How many of `count` items need at most so many questions; 0 where not even two do.

    needed: questions for n items; never fewer for more of them.
    """
    return next(
        (n for n in range(count, 1, -1) if needed(n) <= most), min(count, 1) if count < 2 else 0
    )


def sizes(planned: int, count: int, limits: Limits) -> Iterator[int]:
    """How many items are judged at first, and how many after that.

    Under a time limit a part of `planned` comes first, then all of it. While most of the time is
    left, each further number is twice the one before, up to `count`: judgements were remembered, or
    the model is faster than it was.
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
