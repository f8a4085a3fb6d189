"""A plot of nDCG@10 over calls (logarithmic) as SVG, with a line for each variant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import cycle
from typing import Any

from twindex.eval.tuning.chart import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    _decimal_steps,
    _linear,
    _Scale,
    short,
)

COLOURS = (
    *("#0067a8", "#b84a00", "#007a58", "#a3347f", "#6f6200"),
    *("#4a4ad0", "#b00020", "#00798c", "#7a4f2b"),
)

STYLE = """<style>text{font:12px system-ui,"DejaVu Sans",sans-serif;fill:#1a1d23}
.quiet{fill:#5c6370}.title{font-size:14px;font-weight:600}.grid{stroke:#e3e6eb}
.axis{stroke:#5c6370;fill:none}.first{stroke:#5c6370;stroke-dasharray:2 4}
.line{fill:none;stroke-width:1.5}.halo{paint-order:stroke;stroke:#fff;stroke-width:3.5}</style>"""


def svg(curves: Mapping[str, Sequence[Mapping[str, Any]]], first: float, judge: str) -> str:
    """Return the plot of one judge as SVG.

    curves: by variant, points with calls, nDCG@10 and its interval. The last point has no budget.
    first: nDCG@10 of the first stage, drawn as a dotted line.
    """
    points = [point for curve in curves.values() for point in curve]
    x = _Scale([point["calls"] for point in points])
    values = [point["nDCG@10"] for point in points]
    y, lines = _linear(min(first, *values), max(values))
    floor = HEIGHT - BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="nDCG@10 over calls, judge: {escape(judge)}">{STYLE}',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="24" class="title">nDCG@10 over calls, judge: {escape(judge)} '
        '<tspan class="quiet" font-weight="400">(calls logarithmic; filled: no budget; dotted: '
        "first stage)</tspan></text>",
    ]
    for value, text in lines:
        parts.append(f'<path class="grid" d="M{LEFT},{y(value):.1f}H{WIDTH - RIGHT}"/>')
        parts.append(
            f'<text class="quiet" text-anchor="end" x="{LEFT - 8}" y="{y(value) + 4:.1f}">{text}'
            "</text>"
        )
    for value in _decimal_steps(x):
        parts.append(f'<path class="grid" d="M{x(value):.1f},{TOP}V{floor}"/>')
        parts.append(
            f'<text class="quiet" text-anchor="middle" x="{x(value):.1f}" y="{floor + 18}">'
            f"{short(value)}</text>"
        )
    parts.append(f'<path class="axis" d="M{LEFT},{TOP}V{floor}H{WIDTH - RIGHT}"/>')
    parts.append(f'<path class="first" d="M{LEFT},{y(first):.1f}H{WIDTH - RIGHT}"/>')
    labels: list[str] = []
    taken: list[tuple[float, ...]] = []
    for (name, curve), colour in zip(curves.items(), cycle(COLOURS), strict=False):
        places = [(x(point["calls"]), y(point["nDCG@10"])) for point in curve]
        path = "L".join(f"{a:.1f},{b:.1f}" for a, b in places)
        parts.append(f'<path class="line" stroke="{colour}" d="M{path}"/>')
        for point, (a, b) in zip(curve, places, strict=True):
            whole = point is curve[-1]
            fill = colour if whole else "#fff"
            about = f"{name}: {point['calls']:.0f} calls, nDCG@10 {point['nDCG@10']:.3f}"
            high, low = (y(point["nDCG@10"] + sign * point["±"]) for sign in (1, -1))
            parts.append(
                f'<path stroke="{colour}" d="M{a:.1f},{high:.1f}V{low:.1f}"/>'
                f'<circle cx="{a:.1f}" cy="{b:.1f}" r="{5 if whole else 3}" fill="{fill}" '
                f'stroke="{colour}"><title>{escape(about)}</title></circle>'
            )
        labels.append(_label(name, colour, *places[-1], taken))
    parts += labels
    return "\n".join([*parts, "</svg>\n"])


def _label(name: str, colour: str, a: float, b: float, taken: list[tuple[float, ...]]) -> str:
    """The label of a point, placed so that it covers none of `taken`."""
    length, last = 6.3 * len(name), ("start", a + 9, b - 8)
    for anchor, x, y in (
        *(("start", a + 9, b - 8), ("end", a - 9, b - 8)),
        *(("start", a + 9, b + 16), ("end", a - 9, b + 16)),
    ):
        left = x if anchor == "start" else x - length
        free = all(
            abs(y - other) > 13 or left > r or left + length < low for low, r, other in taken
        )
        if free and left > LEFT and left + length < WIDTH - 4:
            last = (anchor, x, y)
            taken.append((left, left + length, y))
            break
    anchor, x, y = last
    return (
        f'<text class="halo" style="fill:{colour}" text-anchor="{anchor}" x="{x:.1f}" '
        f'y="{y:.1f}">{escape(name)}</text>'
    )
