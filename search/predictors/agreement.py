"""Predictors that compare the lists of several legs: do they return the same documents?

    rbo = (1 - p) * sum over d = 1..D of p^(d-1) * |A_d and B_d| / d, divided by 1 - p^D

A_d and B_d are the first d documents of two lists, p = 0.9, and D = 100. Dividing by 1 - p^D gives
1 to two equal lists. Source: Webber, Moffat and Zobel 2010, "A similarity measure for indefinite
rankings". If there are more than two legs, the value is the mean over all pairs of legs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import fmean

FIRST = 10
"""Number of documents that `overlap` and `single_leg` read."""

DEPTH = 100
"""Number of documents that `rbo` reads."""

PERSISTENCE = 0.9
"""The parameter p of rank-biased overlap."""

List = Sequence[int]
"""Documents of one leg, best first."""


def overlap(one: List, other: List) -> float:
    """Return the share of the first 10 documents that two lists have in common.

    If both lists have fewer than 10 documents, the share is relative to the longer list. Two empty
    lists have the overlap 1.
    """
    a, b = set(one[:FIRST]), set(other[:FIRST])
    return len(a & b) / max(len(a), len(b)) if a or b else 1.0


def mean_overlap(lists: Sequence[List]) -> float:
    """Return the mean `overlap` of all pairs of lists. There must be at least two lists."""
    return fmean(overlap(*pair) for pair in combinations(lists, 2))


def rbo(one: List, other: List, p: float = PERSISTENCE, depth: int = DEPTH) -> float:
    """Return the rank-biased overlap of two lists, from 0 to 1; see the module.

    Two lists that are both shorter than `depth` are compared up to the length of the longer one.

    p:     persistence, between 0 and 1: a higher p gives more weight to the lower ranks.
    depth: number of documents of each list that are compared.
    """
    depth = min(depth, max(len(one), len(other)))
    if depth == 0:
        return 1.0
    seen: Counter[int] = Counter()
    common, total = 0, 0.0
    for d in range(1, depth + 1):
        for ranked in (one, other):
            if d <= len(ranked):
                seen[ranked[d - 1]] += 1
                common += seen[ranked[d - 1]] == 2
        total += p ** (d - 1) * common / d
    return float((1 - p) * total / (1 - p**depth))


def single_leg(fused: List, lists: Sequence[List]) -> float:
    """Return the share of the first 10 fused documents that only one of the lists contains."""
    if not len(fused):
        return 0.0
    known = [set(one) for one in lists]
    alone = [sum(document in one for one in known) == 1 for document in fused[:FIRST]]
    return sum(alone) / len(alone)


def predict(fused: List, lists: Sequence[List]) -> Mapping[str, float]:
    """Return the value of each predictor in `names.ACROSS_LEGS`; {} for fewer than two lists.

    fused: documents of the fused list, best first.
    lists: documents of each leg, best first.
    """
    pairs = list(combinations(lists, 2))
    if not pairs:
        return {}
    return {
        "overlap": mean_overlap(lists),
        "rbo": sum(rbo(*pair) for pair in pairs) / len(pairs),
        "single_leg": single_leg(fused, lists),
    }
