"""Whether one system is better than another, or only luckier with these queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..core import InvalidInputError

_TIE = 1e-9
"""Differences below this are rounding."""
_BLOCK = 1_000
"""Exchanges that are drawn together."""
_SIGNS = 10_000_000
"""Signs that are drawn together at most; each takes 16 bytes."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """System a against system b, by a measure of the same queries.

    difference: mean of a - b.
    p_value:    probability of a mean at least this far from 0, either way, if the names of the two
                systems were exchanged at random for every query.
    wins, losses, ties: queries where a is better, worse or equal.
    """

    difference: float
    p_value: float
    wins: int
    losses: int
    ties: int


def compare(
    a: Mapping[str, float], b: Mapping[str, float], *, permutations: int = 10_000, seed: int = 0
) -> Comparison:
    """Fisher's paired randomisation test (Smucker, Allan and Carterette, CIKM 2007), two-sided.

    a, b: query id -> value, as in `Evaluation.per_query`, of the same queries.

    The p-value is estimated from random exchanges, the observed one counted in, so it is never
    below 1 / (permutations + 1); with few queries all exchanges are enumerated instead. Raises
    InvalidInputError when the queries differ, there are none, or a value is not finite.
    """
    if a.keys() != b.keys() or not a:
        raise InvalidInputError("both systems must be measured on the same queries", field="b")
    differences = np.array([a[query] - b[query] for query in sorted(a)])
    if not np.isfinite(differences).all():  # NaN is no extreme, and would look significant.
        raise InvalidInputError("every query needs a finite value in both systems", field="a")
    differences[np.abs(differences) < _TIE] = 0.0
    return Comparison(
        difference=float(differences.mean()),
        p_value=_p_value(differences[differences != 0], permutations, seed),
        wins=int((differences > 0).sum()),
        losses=int((differences < 0).sum()),
        ties=int((differences == 0).sum()),
    )


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
