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
    """Questions that the calls and tokens of the limits pay for, and those of them that there is
    time for; infinity where there is no limit or no speed is known.

    most: what a question costs at most. speed: tokens a second. least: questions that always
    fit the time: a model that was slow once must be asked again before it is seen to be fast, and
    whether there is time for it is decided then.
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
    """How many items are judged at first, and then.

    The last is `planned`; but twice as many, and so on up to `count`, for as long as little time
    was needed, because much was remembered or the model is faster than it was.
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
