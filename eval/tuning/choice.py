"""Chooses one of the measured configurations: limits, the Pareto front and a recommendation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .measure import Point

TOLERANCE = 0.005
"""Smaller differences in quality are ignored: with a few hundred queries, they may be chance."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits that a recommended configuration must meet. None: no limit.

    bytes_per_vector: maximum bytes per vector on disk.
    memory:           maximum memory of the index in bytes.
    p95_ms:           maximum 95th percentile of the latency of a query, in milliseconds.
    min_recall:       minimum recall@10, measured against exact search.
    """

    bytes_per_vector: float | None = None
    memory: float | None = None
    p95_ms: float | None = None
    min_recall: float | None = None

    def failed(self, point: Point) -> dict[str, float]:
        """Return name -> factor for each limit that the configuration `point` does not meet.

        A factor of 2 means twice the allowed cost, or half the required recall.
        """
        missed: dict[str, float] = {}
        for name, value, limit in self._costs(point):
            if value > limit:
                missed[name] = value / limit
        if self.min_recall is not None and point.recall < self.min_recall:
            missed["min_recall"] = self.min_recall / point.recall if point.recall else math.inf
        return missed

    @property
    def unlimited(self) -> tuple[str, ...]:
        """Names of the costs that have no limit."""
        return tuple(name for name in COSTS if getattr(self, name) is None)

    def _costs(self, point: Point) -> Iterator[tuple[str, float, float]]:
        for name in COSTS:
            limit = getattr(self, name)
            if limit is not None:
                yield name, getattr(point, name), limit


COSTS = ("bytes_per_vector", "memory", "p95_ms")


@dataclass(frozen=True, slots=True)
class Choice:
    """The recommendation of one of the measured configurations (points).

    recommended: index of the recommended point. None: no point meets all limits.
    nearest:     if no point meets all limits, index of the point that is closest to them: the one
                 whose largest factor in `Limits.failed` is the smallest. Otherwise None.
    reason:      explanation of the choice in words.
    """

    recommended: int | None
    nearest: int | None
    reason: str


def front(points: Sequence[Point], costs: Sequence[str] = COSTS) -> list[int]:
    """Return the indexes of the points on the Pareto front of quality and `costs`.

    A point is on the front if no other point dominates it. A point dominates another if it is
    better in quality or a cost, and worse in none of them. Of several equal points, only the first
    is on the front.

    costs: names of the costs, which are fields of `Point`.
    """
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
    """Recommend one of the measured configurations (points) that meet all limits.

    If `min_recall` is set, the cheapest of these points is recommended. Otherwise the cheapest of
    those whose quality is at most TOLERANCE below the best quality is recommended. The cheapest
    point has the lowest product of the costs that have no limit, or of all costs if every cost has
    a limit. With a product, halving one cost counts as much as halving another.

    A point that does not store the original vectors is recommended only if no point that stores
    them meets the limits, because the originals cannot be restored. No point that meets these
    conditions dominates the recommended point (see `front`).
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
        reason = f"the lowest {cost} that meets the limits"
    else:
        where = "of all" if limits == Limits() else "within the limits"
        reason = f"the best quality {where} (to within {TOLERANCE:g}) at the lowest {cost}"
    if points[chosen].keeps_originals:
        reason += ", keeping the original vectors"
    return Choice(chosen, None, reason)


def _none(points: Sequence[Point], limits: Limits) -> Choice:
    """Return a Choice without a recommendation. Its reason names the limits that no point meets."""
    missed = [limits.failed(point) for point in points]
    nearest = min(range(len(points)), key=lambda i: (max(missed[i].values()), len(missed[i]), i))
    alone = [
        name
        for name in (*COSTS, "min_recall")
        if getattr(limits, name) is not None and all(name in failures for failures in missed)
    ]
    if alone:
        reason = "; ".join(
            f"no measured configuration has {_limit(limits, name)}: the best has "
            f"{_value(_best(points, name), name)}"
            for name in alone
        )
    else:
        reason = "each limit is met by some configuration, but no configuration meets all"
    shown = ", ".join(_value(points[nearest], name) for name in missed[nearest])
    return Choice(None, nearest, f"{reason}. The nearest is {points[nearest].name}, with {shown}")


def _best(points: Sequence[Point], name: str) -> Point:
    if name == "min_recall":
        return max(points, key=lambda point: point.recall)
    return min(points, key=lambda point: float(getattr(point, name)))


def _cost(point: Point, names: Sequence[str]) -> float:
    """Return the product of a point's costs.

    Very small costs count as a minimum value, so that a cost of 0 does not hide the other costs.

    names: names of the costs that are multiplied.
    """
    floors = {"bytes_per_vector": 1e-3, "memory": 1e3, "p95_ms": 1e-6}
    return math.prod(max(getattr(point, name), floors[name]) for name in names)


def _all(point: Point) -> tuple[float, ...]:
    return (-point.quality, *(getattr(point, name) for name in COSTS))


def _limit(limits: Limits, name: str) -> str:
    value = getattr(limits, name)
    return {
        "bytes_per_vector": f"at most {value:,g} bytes per vector",
        "memory": f"at most {value / 1e6:,g} MB of memory",
        "p95_ms": f"a p95 of at most {value:g} ms",
        "min_recall": f"a recall of at least {value:g}",
    }[name]


def _value(point: Point, name: str) -> str:
    return {
        "bytes_per_vector": f"{point.bytes_per_vector:,.0f} bytes per vector",
        "memory": f"{point.memory / 1e6:,.1f} MB of memory",
        "p95_ms": f"a p95 of {point.p95_ms:.3g} ms",
        "min_recall": f"a recall of {point.recall:.3f}",
    }[name]
