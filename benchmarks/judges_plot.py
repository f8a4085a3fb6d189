"""nDCG@10 over calls, logarithmic, as SVG: a line for each way of asking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
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
    _logarithmic,
    short,
)

COLOURS = ("#0067a8", "#b84a00", "#007a58", "#a3347f", "#6f6200", "#4a4ad0", "#b00020")

STYLE = """<style>text{font:12px system-ui,"DejaVu Sans",sans-serif;fill:#1a1d23}
.quiet{fill:#5c6370}.title{font-size:14px;font-weight:600}.grid{stroke:#e3e6eb}
.axis{stroke:#5c6370;fill:none}.first{stroke:#5c6370;stroke-dasharray:2 4}
.line{fill:none;stroke-width:1.5}.halo{paint-order:stroke;stroke:#fff;stroke-width:3.5}</style>"""


def svg(curves: Mapping[str, Sequence[Mapping[str, Any]]], first: float, judge: str) -> str:
    """curves: by variant, points with calls, nDCG@10 and ±; the last has no budget.

    first: of the first stage, a dotted line.
    """
    points = [point for curve in curves.values() for point in curve]
    x = _logarithmic([point["calls"] for point in points])
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
    for (name, curve), colour in zip(curves.items(), COLOURS, strict=False):
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
        a, b = places[-1]
        anchor, shift = ("end", -9) if a > WIDTH - 140 else ("start", 9)
        parts.append(
            f'<text class="halo" style="fill:{colour}" text-anchor="{anchor}" '
            f'x="{a + shift:.1f}" y="{b - 8:.1f}">{escape(name)}</text>'
        )
    return "\n".join([*parts, "</svg>\n"])
