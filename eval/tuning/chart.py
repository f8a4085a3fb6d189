"""Computes the layout of a scatter plot of quality over a cost, with the Pareto front.

Each mark of the plot is a measured configuration. The cost has a logarithmic axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .choice import Limits, front
from .measure import Point

WIDTH, HEIGHT = 900, 500
LEFT, RIGHT, TOP, BOTTOM = 70, 24, 42, 58
_LETTER, _LINE = 6.3, 14.0
"""Approximate width of a letter and height of a line of a label, in pixels."""
_MARK = 7.0
SHOWN = 0.1
"""The plot shows at least the qualities from the best one down to this difference below it."""


@dataclass(frozen=True, slots=True)
class Axis:
    """The horizontal axis of a plot, which shows a cost.

    cost:  field of `Point` that has the cost.
    name:  short name, for file names.
    title: title of the axis.
    unit:  unit of the numbers on the axis.
    scale: number by which the field is divided, such as 1e6 to show bytes as MB.
    """

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
    """A grid line. at: its position in pixels. text: its label."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A measured configuration in the plot.

    x, y:   position in pixels.
    kind:   kind of the index.
    name:   name of the configuration.
    about:  text of the tooltip.
    best:   True for a configuration on the Pareto front.
    chosen: True for the recommended configuration.
    label:  x, y and text-anchor of the name. None: there is no room for the name.
    """

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
    """All elements of one plot, for the SVG template. Positions are in pixels.

    axis:    the horizontal axis.
    measure: name of the quality measure, on the vertical axis.
    x_ticks, y_ticks: the grid lines.
    marks:   the measured configurations that are shown.
    front:   SVG path of the Pareto front.
    exact:   y of the line that shows the quality of exact search.
    x_limit: x of the line that shows the highest allowed cost. None: no limit.
    y_limit: y of the line that shows the lowest allowed recall. None: no limit.
    kinds:   kinds of indexes, for the legend.
    below:   number of configurations that are not shown because their quality is too low.
    """

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
    """Return the layout of a plot of the measured configurations (points).

    The quality axis starts at the worst point of the Pareto front, or at SHOWN below the best
    quality if that is lower. Points with a lower quality are counted, but not drawn.

    axis:      the cost on the horizontal axis.
    measure:   name of the quality measure.
    reference: quality of exact search.
    chosen:    index of the recommended point. None: no point is recommended.
    """
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
    positions = {i: (x(costs[i]), y(points[i].quality)) for i in shown}
    labels = _labels(points, positions, chosen, best)
    marks = [
        Mark(
            *positions[i],
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
        front=_steps([positions[i] for i in best]),
        exact=y(reference),
        x_limit=x(limit / axis.scale) if limit else None,
        y_limit=y(floor) if floor else None,
        kinds=list(dict.fromkeys(point.storage.index.kind for point in points)),
        below=len(points) - len(shown),
    )


class _Scale:
    """A logarithmic scale with a margin on both sides: converts a cost to its x in pixels.

    values: the costs that the scale must include.
    """

    def __init__(self, values: Sequence[float]) -> None:
        self.low, self.high = min(values) / 1.25, max(values) * 1.25

    def __call__(self, value: float) -> float:
        span = math.log(self.high / self.low)
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(max(value, self.low) / self.low) / span


def _linear(
    low: float, high: float
) -> tuple[Callable[[float], float], Sequence[tuple[float, str]]]:
    """Return the scale of the quality axis from `low` to `high`, and grid lines at round numbers.

    The scale is a function: quality -> y in pixels. A grid line is (quality, label).
    """
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
    """Return round costs for the grid lines; a wider scale has fewer lines per power of ten."""
    exponents = range(math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high)) + 1)
    decades = math.log10(scale.high / scale.low)
    digits = (1, 1.5, 2, 3, 4, 5, 7) if decades < 1.2 else (1, 2, 5) if decades < 4 else (1,)
    values = [digit * 10.0**exponent for exponent in exponents for digit in digits]
    return [value for value in values if scale.low <= value <= scale.high]


def _steps(positions: Sequence[tuple[float, float]]) -> str:
    """Return the Pareto front as an SVG path of horizontal and vertical steps.

    positions: x, y of each point on the front, in ascending order of cost.
    """
    if not positions:
        return ""
    path = f"M{positions[0][0]:.1f},{positions[0][1]:.1f}"
    path += "".join(f"H{x:.1f}V{y:.1f}" for x, y in positions[1:])
    return f"{path}H{WIDTH - RIGHT}"


def _labels(
    points: Sequence[Point],
    positions: dict[int, tuple[float, float]],
    chosen: int | None,
    best: Sequence[int],
) -> dict[int, tuple[float, float, str]]:
    """Return index of a point -> x, y and text-anchor of its name, for the names that have room.

    Places the name of the recommended point first, then those of points on the Pareto front in
    descending order of quality. Other points have no names.

    positions: index of a point -> x, y of its mark.
    best:      indexes of the points on the Pareto front.
    """
    taken = [(x - _MARK, y - _MARK, x + _MARK, y + _MARK) for x, y in positions.values()]
    labels: dict[int, tuple[float, float, str]] = {}
    order = sorted(best, key=lambda i: -points[i].quality)
    for i in dict.fromkeys([*(() if chosen is None else (chosen,)), *order]):
        x, y = positions[i]
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
                labels[i] = (at, base, anchor)
                break
    return labels


Box = tuple[float, float, float, float]


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _cost(point: Point, axis: Axis) -> float:
    """Return the point's cost in the unit of the axis, at least 0.001 because a log has no 0."""
    return max(float(getattr(point, axis.cost)) / axis.scale, 1e-3)


def short(value: float) -> str:
    """Format a number >= 100 as an integer, and any other number with three significant digits."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
