"""The geometry of a scatter plot with a Pareto front: quality over a cost, logarithmic."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .choice import Limits, front
from .measure import Point

WIDTH, HEIGHT = 900, 500
LEFT, RIGHT, TOP, BOTTOM = 70, 24, 42, 58
_LETTER, _LINE = 6.3, 14.0
"""Of a label, in pixels; roughly, as fonts differ."""
_MARK = 7.0
SHOWN = 0.1
"""Quality below the best that is shown even if the front does not reach so far down."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A cost: field of a point, what it is called, its unit, and how many of the field make one."""

    cost: str
    name: str
    title: str
    unit: str
    scale: float = 1.0


AXES = (
    Axis("bytes_per_vector", "bytes", "bytes per vector on disk", "bytes"),
    Axis("memory", "memory", "memory of the index", "MB", 1e6),
    Axis("p95_ms", "latency", "latency of a query, 95th percentile", "ms"),
)


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the scale, in pixels, and what it says."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A point in pixels. label: where its name stands, if there is room: x, y and text-anchor."""

    x: float
    y: float
    kind: str
    name: str
    about: str
    best: bool
    chosen: bool
    label: tuple[float, float, str] | None


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything that the template draws, in pixels. below: points under the lowest line."""

    axis: Axis
    measure: str
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    marks: Sequence[Mark]
    front: str
    exact: float
    x_limit: float | None
    y_limit: float | None
    kinds: Sequence[str]
    below: int


def chart(
    points: Sequence[Point],
    axis: Axis,
    measure: str,
    reference: float,
    limits: Limits,
    chosen: int | None,
) -> Chart:
    """Lay out a plot. The scale of quality begins at the worst point of the front, or SHOWN below
    the best: what is lower is beaten in quality and cost alike, and only counted."""
    best = sorted(front(points, [axis.cost]), key=lambda i: _cost(points[i], axis))
    shown_best = {*best, *(() if chosen is None else (chosen,))}
    limit = getattr(limits, axis.cost)
    costs = [_cost(point, axis) for point in points]
    x = _Scale([*costs, *([limit / axis.scale] if limit else [])])
    highest = max(reference, *(point.quality for point in points))
    worst = min(highest - SHOWN, *(points[i].quality for i in shown_best))
    worst = min(point.quality for point in points if point.quality >= worst)
    floor = limits.min_recall if measure.startswith("recall") else None
    y, y_values = _linear(min(worst, floor or worst), highest)
    shown = [i for i in range(len(points)) if points[i].quality >= worst]
    places = {i: (x(costs[i]), y(points[i].quality)) for i in shown}
    labels = _labels(points, places, chosen, best)
    marks = [
        Mark(
            *places[i],
            kind=points[i].storage.index.kind,
            name=points[i].name,
            about=f"{points[i].name}: {measure} {points[i].quality:.4f}, "
            f"{short(costs[i])} {axis.unit}",
            best=i in best,
            chosen=i == chosen,
            label=labels.get(i),
        )
        for i in sorted(shown, key=lambda i: (i in shown_best, i == chosen))
    ]
    return Chart(
        axis=axis,
        measure=measure,
        x_ticks=[Tick(x(value), short(value)) for value in _decimal_steps(x)],
        y_ticks=[Tick(y(value), text) for value, text in y_values],
        marks=marks,
        front=_steps([places[i] for i in best]),
        exact=y(reference),
        x_limit=x(limit / axis.scale) if limit else None,
        y_limit=y(floor) if floor else None,
        kinds=list(dict.fromkeys(point.storage.index.kind for point in points)),
        below=len(points) - len(shown),
    )


class _Scale:
    """From a cost to pixels, logarithmic, with some room beside the least and the greatest."""

    def __init__(self, values: Sequence[float]) -> None:
        self.low, self.high = min(values) / 1.25, max(values) * 1.25

    def __call__(self, value: float) -> float:
        span = math.log(self.high / self.low)
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(max(value, self.low) / self.low) / span


def _linear(
    low: float, high: float
) -> tuple[Callable[[float], float], Sequence[tuple[float, str]]]:
    """The scale of quality and its lines, at round numbers."""
    margin = 0.06 * max(high - low, 0.01)
    low, high = low - margin, high + margin
    step = next(s for e in range(-4, 1) for s in (10.0**e, 2 * 10.0**e, 5 * 10.0**e)
                if (high - low) / s <= 8)  # fmt: skip
    digits = max(2, -math.floor(math.log10(step) + 1e-9))

    def scale(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low)

    first, last = math.ceil(low / step), math.floor(min(high, 1.0) / step + 1e-9)
    return scale, [(i * step, f"{i * step:.{digits}f}") for i in range(first, last + 1)]


def _decimal_steps(scale: _Scale) -> list[float]:
    """Round numbers between the ends, the fewer of each power of ten the more powers there are."""
    exponents = range(math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high)) + 1)
    decades = math.log10(scale.high / scale.low)
    digits = (1, 1.5, 2, 3, 4, 5, 7) if decades < 1.2 else (1, 2, 5) if decades < 4 else (1,)
    values = [digit * 10.0**exponent for exponent in exponents for digit in digits]
    return [value for value in values if scale.low <= value <= scale.high]


def _steps(places: Sequence[tuple[float, float]]) -> str:
    """The edge of what can be had: level until the next better point."""
    if not places:
        return ""
    path = f"M{places[0][0]:.1f},{places[0][1]:.1f}"
    path += "".join(f"H{x:.1f}V{y:.1f}" for x, y in places[1:])
    return f"{path}H{WIDTH - RIGHT}"


def _labels(
    points: Sequence[Point],
    places: dict[int, tuple[float, float]],
    chosen: int | None,
    best: Sequence[int],
) -> dict[int, tuple[float, float, str]]:
    """Where names fit, beside the points of the front: the chosen one first, then the best."""
    taken = [(x - _MARK, y - _MARK, x + _MARK, y + _MARK) for x, y in places.values()]
    found: dict[int, tuple[float, float, str]] = {}
    order = sorted(best, key=lambda i: -points[i].quality)
    for i in dict.fromkeys([*(() if chosen is None else (chosen,)), *order]):
        x, y = places[i]
        length = _LETTER * len(points[i].name)
        for at, base, anchor in (
            (x + 4, y - 12, "start"),
            (x - 4, y - 12, "end"),
            (x + 8, y + 20, "start"),
            (x - 8, y + 20, "end"),
            (x + 14, y + 4, "start"),
            (x - 14, y + 4, "end"),
        ):
            left = at if anchor == "start" else at - length
            box = (left, base - _LINE + 3, left + length, base + 3)
            inside = left >= LEFT + 2 and box[2] <= WIDTH - 4 and TOP <= box[1] <= HEIGHT - BOTTOM
            if inside and box[3] < HEIGHT - BOTTOM and not any(_overlap(box, b) for b in taken):
                taken.append(box)
                found[i] = (at, base, anchor)
                break
    return found


Box = tuple[float, float, float, float]


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _cost(point: Point, axis: Axis) -> float:
    """Never 0, which a logarithmic scale has not."""
    return max(float(getattr(point, axis.cost)) / axis.scale, 1e-3)


def short(value: float) -> str:
    """At most three digits, without an exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
