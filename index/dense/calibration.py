"""From a recall target to the parameters that reach it, measured when a segment is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.vectors import Vectors
from ..protocol import Ranking
from ..structures import exact
from ..structures.originals import Originals, spread
from ..structures.protocol import Parameters
from .rescoring import rescored

RESULTS = {10: 1, 100: 2, 1_000: 4}
"""Numbers of results that are calibrated, where a segment has ten times as many vectors, each with
every first, second or fourth of the queries: more results make up for fewer of them."""
QUERIES = 256
ENOUGH = 0.9995
"""Recall beyond which dearer parameters are not tried."""
_EQUAL = 1e-6
"""Scores that differ by less, relatively, are ties: any of the tied vectors counts as found."""


@dataclass(frozen=True, slots=True)
class Level:
    """What a setting of the parameters finds: mean recall over the sampled queries."""

    parameters: Parameters
    recall: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Levels for each number of results k, cheapest first.

    queries: how many were sampled; see RESULTS. They are vectors of the segment, and one does not
    count as its own neighbour: real queries may be harder.
    """

    queries: int
    levels: Mapping[int, Sequence[Level]]

    def choose(self, recall: float, k: int) -> Parameters | None:
        """The cheapest parameters that reach `recall` for k results; None = only exact search."""
        enough = (level.parameters for level in self._of(k) if level.recall >= recall)
        return next(enough, None)

    def most(self, k: int) -> float:
        """The highest recall for k results that any parameters reach."""
        return max((level.recall for level in self._of(k)), default=0.0)

    def _of(self, k: int) -> Sequence[Level]:
        """The levels of the least calibrated number that is at least k, else of the largest."""
        if not self.levels:
            return ()
        known = sorted(self.levels)
        return self.levels[next((number for number in known if number >= k), known[-1])]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "queries": self.queries,
            "levels": {
                str(k): [{**level.parameters, "recall": level.recall} for level in levels]
                for k, levels in self.levels.items()
            },
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Calibration:
        """The inverse of `as_json`. Raises ValueError, KeyError or TypeError."""
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
    """Measure what each setting of `ladder` finds of the exact nearest of sampled vectors.

    search(queries, k, parameters): as the segment would search. The sample is seeded by nothing
    but the number of vectors.
    """
    sample = spread(len(vectors), QUERIES, seed=len(vectors))
    queries = vectors.take(sample)
    results = [k for k in RESULTS if 10 * k <= len(vectors)] or [min(10, len(vectors) - 1)]
    if results == [0]:
        return Calibration(0, {})
    # Once for all: it reads every vector, which may not be in memory.
    truth = exact.search(queries, vectors.array, results[-1] + 1, None)
    levels = {}
    for k in results:
        step = RESULTS.get(k, 1)
        own, asked = sample[::step], np.ascontiguousarray(queries[::step])
        nearest = Ranking(truth.rows[::step], truth.scores[::step])
        worst = _others(nearest, own, k)[:, -1]
        measured: list[Level] = []
        for parameters in ladder:
            found = search(asked, k + 1, parameters)
            scores = _others(rescored(found, asked, vectors.array, k + 1), own, k)
            hits = scores >= (worst - _EQUAL * np.abs(worst))[:, None]
            measured.append(Level(parameters, float(hits.mean())))
            if measured[-1].recall >= ENOUGH:
                break
        levels[k] = measured
    return Calibration(len(sample), levels)


def _others(ranking: Ranking, own: NDArray[np.int64], k: int) -> Vectors:
    """The best k scores without that of the query itself."""
    scores = np.where(ranking.rows == own[:, None], np.float32(-np.inf), ranking.scores)
    return -np.sort(-scores, axis=-1)[:, :k]
