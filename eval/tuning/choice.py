"""Which of the measured configurations to take: limits, the Pareto front, one recommendation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .measure import Point

TOLERANCE = 0.005
"""Differences in quality below this count as none: a few hundred queries do not tell more."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a configuration may cost and must find; None = no limit.

    bytes_per_vector: on disk. memory: bytes that the index holds. p95_ms: 95 % of the queries take
    at most so long. min_recall: recall@10 against exact search.
    """

    bytes_per_vector: float | None = None
    memory: float | None = None
    p95_ms: float | None = None
    min_recall: float | None = None

    def failed(self, point: Point) -> dict[str, float]:
        """Limit -> how many times it is missed by (above 1), for those that `point` misses."""
        missed: dict[str, float] = {}
        for name, value, limit in self._costs(point):
            if value > limit:
                missed[name] = value / limit
        if self.min_recall is not None and point.recall < self.min_recall:
            missed["min_recall"] = self.min_recall / point.recall if point.recall else math.inf
        return missed

    @property
    def unlimited(self) -> tuple[str, ...]:
        """Costs that have no limit."""
        return tuple(name for name in COSTS if getattr(self, name) is None)

    def _costs(self, point: Point) -> Iterator[tuple[str, float, float]]:
        for name in COSTS:
            limit = getattr(self, name)
            if limit is not None:
                yield name, getattr(point, name), limit


COSTS = ("bytes_per_vector", "memory", "p95_ms")


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen, and why.

    recommended: index into the points; None = nothing meets the limits.
    nearest: then, the point that misses its worst limit by least.
    reason: in words.
    """

    recommended: int | None
    nearest: int | None
    reason: str


def front(points: Sequence[Point], costs: Sequence[str] = COSTS) -> list[int]:
    """Indexes of the points that no other beats: none has at least the quality for at most each of
    `costs` and is better in one. Of equal points the first."""
    kept = []
    values = [(-p.quality, *(getattr(p, cost) for cost in costs)) for p in points]
    for i, own in enumerate(values):
        beaten = any(
            all(a <= b for a, b in zip(other, own, strict=True)) and (other != own or j < i)
            for j, other in enumerate(values)
            if j != i
        )
        if not beaten:
            kept.append(i)
    return kept


def choose(points: Sequence[Point], limits: Limits) -> Choice:
    """Recommend one point.

    With a recall to be reached, the cheapest that meets all limits; without, the best quality
    within them, and the cheapest of those that are less than TOLERANCE worse. Cost is the product
    of the costs that have no limit, since these are left to be saved; of all if all have one, or
    none. So a saving by some factor counts alike wherever it is made.

    What gives up the originals, which cannot be taken back, is recommended only if nothing else
    meets the limits. What another candidate beats in everything never is.
    """
    within = [i for i, point in enumerate(points) if not limits.failed(point)]
    if not within:
        return _none(points, limits)
    within = [i for i in within if points[i].keeps_originals] or within
    best = max(points[i].quality for i in within)
    if limits.min_recall is None:
        within = [i for i in within if points[i].quality >= best - TOLERANCE]
    saved = limits.unlimited or COSTS
    chosen = min(within, key=lambda i: (_cost(points[i], saved), _all(points[i]), i))
    words = {"bytes_per_vector": "bytes", "memory": "memory", "p95_ms": "latency"}
    cost = " x ".join(words[name] for name in saved)
    if limits.min_recall is not None:
        reason = f"the least {cost} that meets the limits"
    else:
        where = "of all" if limits == Limits() else "within the limits"
        reason = f"the best quality {where}, give or take {TOLERANCE:g}, for the least {cost}"
    if points[chosen].keeps_originals:
        reason += ", with the originals kept"
    return Choice(chosen, None, reason)


def _none(points: Sequence[Point], limits: Limits) -> Choice:
    """Say what stands in the way."""
    missed = [limits.failed(point) for point in points]
    nearest = min(range(len(points)), key=lambda i: (max(missed[i].values()), len(missed[i]), i))
    alone = [
        name
        for name in (*COSTS, "min_recall")
        if getattr(limits, name) is not None and all(name in failures for failures in missed)
    ]
    if alone:
        reason = "; ".join(
            f"nothing measured has {_limit(limits, name)}: the best has "
            f"{_value(_best(points, name), name)}"
            for name in alone
        )
    else:
        reason = "each limit is met by some configuration, but no configuration meets all"
    shown = ", ".join(_value(points[nearest], name) for name in missed[nearest])
    return Choice(None, nearest, f"{reason}. Nearest is {points[nearest].name}, with {shown}")


def _best(points: Sequence[Point], name: str) -> Point:
    if name == "min_recall":
        return max(points, key=lambda point: point.recall)
    return min(points, key=lambda point: float(getattr(point, name)))


def _cost(point: Point, names: Sequence[str]) -> float:
    """Product; memory may be next to nothing, and below a kilobyte it does not matter."""
    floors = {"bytes_per_vector": 1e-3, "memory": 1e3, "p95_ms": 1e-6}
    return math.prod(max(getattr(point, name), floors[name]) for name in names)


def _all(point: Point) -> tuple[float, ...]:
    return (-point.quality, *(getattr(point, name) for name in COSTS))


def _limit(limits: Limits, name: str) -> str:
    value = getattr(limits, name)
    return {
        "bytes_per_vector": f"at most {value:,g} bytes a vector",
        "memory": f"at most {value / 1e6:,g} MB of memory",
        "p95_ms": f"a p95 of at most {value:g} ms",
        "min_recall": f"a recall of at least {value:g}",
    }[name]


def _value(point: Point, name: str) -> str:
    return {
        "bytes_per_vector": f"{point.bytes_per_vector:,.0f} bytes a vector",
        "memory": f"{point.memory / 1e6:,.1f} MB of memory",
        "p95_ms": f"a p95 of {point.p95_ms:.3g} ms",
        "min_recall": f"a recall of {point.recall:.3f}",
    }[name]
