"""Calibration: measures the recall that search parameters of an index reach in a segment.

It runs when the segment is built. A search with a recall target then uses the cheapest parameters
that reached the target. Recall is the share of the exact k nearest vectors that a search returns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.vectors import Vectors
from ..protocol import Ranking
from ..structures import exact
from ..structures.originals import Originals, random_rows
from ..structures.protocol import Parameters
from .rescoring import rescored

RESULTS = {10: 1, 100: 2, 1_000: 4}
"""Number of results k to calibrate -> step: only every step-th sampled query is used.

A number k is calibrated if the segment has at least 10 * k vectors. Larger k need fewer queries,
because each query yields more results."""
QUERIES = 256
"""Maximum number of sampled queries."""
ENOUGH = 0.9995
"""Once search parameters reach this recall, more expensive ones are not measured."""
_EQUAL = 1e-6
"""Scores that differ by less than this share count as ties, and any tied vector as found."""


@dataclass(frozen=True, slots=True)
class Level:
    """Search parameters of an index, and the recall that they reach.

    recall: mean recall of the sampled queries, 0 to 1.
    """

    parameters: Parameters
    recall: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Measured recall of search parameters in one segment.

    Each query is a vector of the segment, and does not count as its own neighbour. Queries of users
    may be harder.

    queries: number of sampled queries. For a large number of results, only some of them were used
             (see RESULTS).
    levels:  number of results k -> the measured parameters with their recall, cheapest first.
    """

    queries: int
    levels: Mapping[int, Sequence[Level]]

    def choose(self, recall: float, k: int) -> Parameters | None:
        """Return the cheapest parameters that reached `recall` for k results; None if none did."""
        enough = (level.parameters for level in self._of(k) if level.recall >= recall)
        return next(enough, None)

    def most(self, k: int) -> float:
        """Return the highest measured recall for k results; 0.0 if nothing was measured."""
        return max((level.recall for level in self._of(k)), default=0.0)

    def _of(self, k: int) -> Sequence[Level]:
        """Return the levels for the smallest measured number of results that is at least k.

        If all measured numbers are smaller than k, returns the levels for the largest number.
        """
        if not self.levels:
            return ()
        known = sorted(self.levels)
        return self.levels[next((number for number in known if number >= k), known[-1])]

    def as_json(self) -> dict[str, Any]:
        """Return the calibration as JSON values, for storage.json."""
        return {
            "queries": self.queries,
            "levels": {
                str(k): [{**level.parameters, "recall": level.recall} for level in levels]
                for k, levels in self.levels.items()
            },
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Calibration:
        """Return the calibration for which `as_json` returned `value`.

        Raises ValueError, KeyError or TypeError for other values.
        """
        return cls(
            int(value["queries"]),
            {
                int(k): [
                    Level(
                        {n: int(v) for n, v in level.items() if n != "recall"},
                        float(level["recall"]),
                    )
                    for level in levels
                ]
                for k, levels in value["levels"].items()
            },
        )


def calibrate(
    search: Callable[[Vectors, int, Parameters], Ranking],
    ladder: Sequence[Parameters],
    vectors: Originals,
) -> Calibration:
    """Measure the recall of search parameters against exact search.

    Measuring stops at the first parameters that reach the recall `ENOUGH`.

    search: function (queries, k, parameters) -> ranking that the segment returns for them.
    ladder: the parameters to measure, cheapest first.
    vectors: the vectors of the segment as encoded. A random sample of them serves as queries.
    """
    sample = random_rows(len(vectors), QUERIES, seed=len(vectors))
    queries = vectors.take(sample)
    results = [k for k in RESULTS if 10 * k <= len(vectors)] or [min(10, len(vectors) - 1)]
    if results == [0]:
        return Calibration(0, {})
    # Computed once for all k, because it reads every vector, perhaps from disk.
    truth = exact.search(queries, vectors.array, results[-1] + 1, None)
    levels = {}
    for k in results:
        step = RESULTS.get(k, 1)
        own, group = sample[::step], np.ascontiguousarray(queries[::step])
        nearest = Ranking(truth.rows[::step], truth.scores[::step])
        worst = _scores_without_self(nearest, own, k)[:, -1]
        measured: list[Level] = []
        for parameters in ladder:
            found = search(group, k + 1, parameters)
            scores = _scores_without_self(rescored(found, group, vectors.array, k + 1), own, k)
            hits = scores >= (worst - _EQUAL * np.abs(worst))[:, None]
            measured.append(Level(parameters, float(hits.mean())))
            if measured[-1].recall >= ENOUGH:
                break
        levels[k] = measured
    return Calibration(len(sample), levels)


def _scores_without_self(ranking: Ranking, own: NDArray[np.int64], k: int) -> Vectors:
    """Return the k best scores of each query, best first, without the query's own row.

    own: row number of each query. Each query is itself a vector of the segment.
    """
    scores = np.where(ranking.rows == own[:, None], np.float32(-np.inf), ranking.scores)
    return -np.sort(-scores, axis=-1)[:, :k]
