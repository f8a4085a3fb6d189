"""From a recall target to the parameters that reach it, measured when a segment is built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .structure import Parameters


@dataclass(frozen=True, slots=True)
class Level:
    """What a setting of the parameters finds: mean recall over the sampled queries."""

    parameters: Parameters
    recall: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Levels for each number of results k, cheapest first.

    queries: how many were sampled. The queries are vectors of the segment, and a vector does not
    count as its own neighbour: real queries may be harder.
    """

    queries: int
    levels: Mapping[int, Sequence[Level]]

    def choose(self, recall: float, k: int) -> Parameters | None:
        """The cheapest parameters that reach `recall` for k results; None = only exact search."""
        if not self.levels:
            return None
        known = sorted(self.levels)
        at = next((number for number in known if number >= k), known[-1])
        enough = (level.parameters for level in self.levels[at] if level.recall >= recall)
        return next(enough, None)

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
                    Level({n: int(v) for n, v in level.items() if n != "recall"}, level["recall"])
                    for level in levels
                ]
                for k, levels in value["levels"].items()
            },
        )
