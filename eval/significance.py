"""Tests whether the difference between two systems is significant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..core import InvalidInputError

_TIE = 1e-9
"""Smaller differences are rounding errors and count as 0."""
_BLOCK = 1_000
"""Number of random exchanges computed together."""
_SIGNS = 10_000_000
"""Maximum number of random signs computed together. Each takes 16 bytes."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The comparison of system a with system b, by one measure on the same queries.

    difference: mean of a - b over the queries.
    p_value:    two-sided p-value: the probability of a mean at least as far from 0 as `difference`,
                if the values of the two systems are exchanged at random for every query.
    wins, losses, ties: number of queries where a is better than, worse than or equal to b.
    """

    difference: float
    p_value: float
    wins: int
    losses: int
    ties: int


def compare(
    a: Mapping[str, float], b: Mapping[str, float], *, permutations: int = 10_000, seed: int = 0
) -> Comparison:
    """Compare two systems by Fisher's paired randomisation test, two-sided.

    a, b:         query id -> value, as in `Evaluation.per_query`, for the same queries.
    permutations: number of random exchanges from which the p-value is estimated.
    seed:         seed of the random exchanges.

    The measured values count as one more exchange, so the p-value is never below
    1 / (permutations + 1). With few queries, all exchanges are enumerated instead. See Smucker,
    Allan and Carterette, CIKM 2007.

    Raises InvalidInputError if the queries differ, if there are none, or if a value is not finite.
    """
    if a.keys() != b.keys() or not a:
        raise InvalidInputError(
            f"both systems must have values for the same queries, got {len(a)} and {len(b)} "
            f"queries with {len(a.keys() & b.keys())} in common",
            field="b",
        )
    differences = np.array([a[query] - b[query] for query in sorted(a)])
    if not np.isfinite(differences).all():  # A NaN would make the result look significant.
        raise InvalidInputError("every query must have finite values in both systems", field="a")
    differences[np.abs(differences) < _TIE] = 0.0
    return Comparison(
        difference=float(differences.mean()),
        p_value=_p_value(differences[differences != 0], permutations, seed),
        wins=int((differences > 0).sum()),
        losses=int((differences < 0).sum()),
        ties=int((differences == 0).sum()),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number, in the same order (Holm, 1979).

        p_(i) = max over j <= i of min(1, (n - j + 1) * p_(j)),    p_(1) <= ... <= p_(n)

    If every corrected p-value of at most 0.05 counts as significant, the probability that at least
    one of them is so by chance is at most 0.05.
    """
    corrected = [1.0] * len(p_values)
    most = 0.0
    for before, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        most = max(most, min(1.0, (len(p_values) - before) * p_values[place]))
        corrected[place] = most
    return corrected


def _p_value(differences: np.ndarray[tuple[int], np.dtype[np.float64]], n: int, seed: int) -> float:
    if len(differences) == 0:
        return 1.0
    least = abs(differences.sum()) - _TIE
    if 2 ** len(differences) <= n:
        codes = np.arange(2 ** len(differences))[:, None] >> np.arange(len(differences)) & 1
        return float((np.abs((1 - 2 * codes) @ differences) >= least).mean())
    random = np.random.default_rng(seed)
    extreme = 1
    block = max(1, min(_BLOCK, _SIGNS // len(differences)))
    for begin in range(0, n, block):
        rows = min(block, n - begin)
        signs = 1 - 2 * random.integers(0, 2, (rows, len(differences)))
        extreme += int((np.abs(signs @ differences) >= least).sum())
    return extreme / (n + 1)
