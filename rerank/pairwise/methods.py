"""Which pairs are compared: the algorithms of Pairwise Ranking Prompting, without any model.

An algorithm is a generator over the candidates 0 to n - 1 of a first stage, best first: it yields
pairs that can be compared at the same time and is sent, for each, 1 where the first of the pair
won, -1 where the second did, and 0 for a tie. It appends candidates to `settled` as their places
become known, up to k of them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from math import log2

from .board import Pair

Method = Generator[Sequence[Pair], Sequence[int], None]


def all_pairs(n: int, since: int = 0) -> list[Pair]:
    """All n(n - 1)/2, those among the first m candidates before those of the next one.

    since: without those among the first `since`.
    """
    return [(i, j) for j in range(since, n) for i in range(j)]


def sliding(n: int, k: int, settled: list[int]) -> Method:
    """k bubble passes from the bottom: the lower of two neighbours moves up if it wins.

    kn - k(k + 1)/2 comparisons in n + k - 2 rounds instead of one after another: a pass follows two
    places behind the one before it, where nothing changes any more, so its comparisons are the
    same. What a pass need not ask again, because nothing moved there, is remembered.
    """
    order = list(range(n))
    passes = min(k, n - 1)
    for step in range(n + passes - 2):
        lower = [n - 1 - step + 2 * number for number in range(passes)]
        places = [j for number, j in enumerate(lower) if number < j < n]
        won = yield [(order[j], order[j - 1]) for j in places]
        for j, result in zip(places, won, strict=True):
            if result == 1:
                order[j - 1], order[j] = order[j], order[j - 1]
        settled.extend(order[number] for number, j in enumerate(lower) if j == number + 1)
    settled.extend(order[len(settled) : k])


def heapsort(n: int, k: int, settled: list[int]) -> Method:
    """A binary heap, built from the bottom, then k pops.

    The nodes of one level sink at the same time; otherwise it is one comparison after another.
    """
    items = list(range(n))
    for level in range(n.bit_length() - 1, -1, -1):
        nodes = range(2**level - 1, min(2 ** (level + 1) - 1, n // 2))
        yield from _together([_sink(items, node, n) for node in nodes])
    for size in range(n - 1, -1, -1):
        settled.append(items[0])
        if len(settled) == k or not size:
            return
        items[0] = items[size]
        yield from _sink(items, 0, size)


def tournament(n: int, k: int, settled: list[int]) -> Method:
    """A knockout; then, k - 1 times, another one among all who lost only to those who are settled.

    A round of a knockout is asked at the same time. n - 1 comparisons for the first place and about
    log2(n) for each further one, the fewest there can be for the second.
    """
    beaten: list[list[int]] = [[] for _ in range(n)]
    players = list(range(n))
    while players:
        while len(players) > 1:
            pairs = [_ordered(*players[i : i + 2]) for i in range(0, len(players) - 1, 2)]
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


def needed(method: str, n: int, k: int) -> int:
    """Comparisons of n candidates; of the sorts, about as many as it will be at most."""
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
    """Let an item sink in the heap `items[:size]` until none below it is better. Of a tie, the one
    that the first stage has before the other is better."""
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


def _together(methods: Sequence[Method]) -> Method:
    """Several algorithms in step, each with its own pairs."""
    waiting = [(method, pairs) for method in methods if (pairs := next(method, None))]
    while waiting:
        won = yield [pair for _, pairs in waiting for pair in pairs]
        going, waiting, begin = waiting, [], 0
        for method, pairs in going:
            end = begin + len(pairs)
            with suppress(StopIteration):
                waiting.append((method, method.send(won[begin:end])))
            begin = end


def _ordered(one: int, other: int) -> Pair:
    """The better of the first stage in front: a tie is its."""
    return min(one, other), max(one, other)
