"""Algorithms of Pairwise Ranking Prompting: they choose the pairs to compare and call no model.

An algorithm is a generator over the candidates 0 to n - 1 in their original order, best first. It
yields a list of pairs that can be compared at the same time. It receives a result for each pair: 1
= the first candidate won, -1 = the second won, 0 = a tie. It appends candidates to `settled`, best
first, as soon as their final positions are known, until the first k positions are filled.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from math import log2

from .board import Pair

Method = Generator[Sequence[Pair], Sequence[int], None]


def all_pairs(n: int, since: int = 0) -> list[Pair]:
    """Return the pairs of n candidates: n(n - 1)/2 pairs if `since` is 0.

    since: the pairs among the first `since` candidates are left out.

    For every m, the pairs among the first m candidates come before all other pairs.
    """
    return [(i, j) for j in range(since, n) for i in range(j)]


def sliding(n: int, k: int, settled: list[int]) -> Method:
    """Run k bubble-sort passes from the bottom: the lower of two neighbours moves up if it wins.

    n:       number of candidates.
    k:       number of positions to fill.
    settled: output: the candidates whose final positions are known, best first.

    Needs kn - k(k + 1)/2 comparisons in n + k - 2 rounds. The passes run in parallel. Each pass
    runs two positions behind the previous one, because the previous pass no longer changes the
    order there. So the comparisons are the same as if the passes ran one after another. Repeated
    comparisons are answered from the cache.
    """
    order = list(range(n))
    passes = min(k, n - 1)
    for step in range(n + passes - 2):
        lower = [n - 1 - step + 2 * number for number in range(passes)]
        positions = [j for number, j in enumerate(lower) if number < j < n]
        won = yield [(order[j], order[j - 1]) for j in positions]
        for j, result in zip(positions, won, strict=True):
            if result == 1:
                order[j - 1], order[j] = order[j], order[j - 1]
        settled.extend(order[number] for number, j in enumerate(lower) if j == number + 1)
    settled.extend(order[len(settled) : k])


def heapsort(n: int, k: int, settled: list[int]) -> Method:
    """Build a binary heap of n candidates from the bottom, then pop k candidates into `settled`.

    While the heap is built, the nodes of one level sink in parallel. All other comparisons run one
    after another.
    """
    items = list(range(n))
    for level in range(n.bit_length() - 1, -1, -1):
        nodes = range(2**level - 1, min(2 ** (level + 1) - 1, n // 2))
        yield from _in_parallel([_sink(items, node, n) for node in nodes])
    for size in range(n - 1, -1, -1):
        settled.append(items[0])
        if len(settled) == k or not size:
            return
        items[0] = items[size]
        yield from _sink(items, 0, size)


def tournament(n: int, k: int, settled: list[int]) -> Method:
    """Run a knockout tournament for each of the first k positions; add the winners to `settled`.

    The first tournament has all n candidates. Each further tournament has the candidates that lost
    directly to the previous winner. Comparisons of one round run in parallel.

    Needs n - 1 comparisons for the first position and about log2(n) for each further position. For
    the first two positions, this is the minimum.
    """
    beaten: list[list[int]] = [[] for _ in range(n)]
    players = list(range(n))
    while players:
        while len(players) > 1:
            pairs = [_in_original_order(*players[i : i + 2]) for i in range(0, len(players) - 1, 2)]
            won = yield pairs
            bye = players[2 * len(pairs) :]
            players = []
            for (one, other), result in zip(pairs, won, strict=True):
                winner, loser = (other, one) if result == -1 else (one, other)
                beaten[winner].append(loser)
                players.append(winner)
            players += bye
        settled.append(players[0])
        if len(settled) == k:
            return
        players = beaten[players[0]]


def comparisons_needed(method: str, n: int, k: int) -> int:
    """Return how many comparisons a method needs to find the first k of n candidates.

    method: a key of `METHODS`. For "heap" and "tournament", the result is an approximate maximum.
    """
    k = min(k, n - 1)
    if n < 2:
        return 0
    if method == "sliding":
        return k * n - k * (k + 1) // 2
    if method == "heap":
        return 2 * n + int(2 * (k - 1) * log2(n))
    return n - 1 + int((k - 1) * (log2(n) + 1))


METHODS: dict[str, Callable[[int, int, list[int]], Method]] = {
    "sliding": sliding,
    "heap": heapsort,
    "tournament": tournament,
}


def _sink(items: list[int], node: int, size: int) -> Method:
    """Let the item at position `node` sink in the heap `items[:size]` until none below is better.

    A tie is won by the candidate that comes first in the original order.
    """
    while True:
        best = node
        for child in (2 * node + 1, 2 * node + 2):
            if child < size:
                pair = items[child], items[best]
                (won,) = yield [pair]
                if won == 1 or (won == 0 and pair[0] < pair[1]):
                    best = child
        if best == node:
            return
        items[node], items[best] = items[best], items[node]
        node = best


def _in_parallel(methods: Sequence[Method]) -> Method:
    """Run several algorithms in parallel: each round yields the pairs of all of them."""
    waiting = [(method, pairs) for method in methods if (pairs := next(method, None))]
    while waiting:
        won = yield [pair for _, pairs in waiting for pair in pairs]
        going, waiting, begin = waiting, [], 0
        for method, pairs in going:
            end = begin + len(pairs)
            with suppress(StopIteration):
                waiting.append((method, method.send(won[begin:end])))
            begin = end


def _in_original_order(one: int, other: int) -> Pair:
    """Return two candidates as a pair in the original order, so that the first one wins a tie."""
    return min(one, other), max(one, other)
