"""Writes the output files of `tune`: figures, plots, a page and the recommended configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from . import chart as charts
from .chart import AXES, chart, short
from .measure import Point
from .toml import as_toml
from .tune import Report

FIGURES, PAGE, CONFIG = "tune.json", "tune.html", "recommended.toml"
FLOAT32_BYTES = 4
"""Bytes of a float32, to compare sizes with those of uncompressed vectors."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table in `tune.html`: one measured configuration.

    cells:  for each column, the value that the column is sorted by, and the text that is shown.
    chosen: True for the recommended configuration.
    within: True if the configuration meets all limits.
    """

    cells: list[tuple[float | str, str]]
    chosen: bool
    within: bool


def write(report: Report, directory: Path) -> list[Path]:
    """Write the report's files into `directory`, and return their paths.

    The files are tune.json (all figures), tune.html (a self-contained page), quality-*.svg (plots)
    and recommended.toml, which `twindex build --config` accepts. Without a recommendation there is
    no recommended.toml. Creates the directory if needed, and replaces files of an earlier run.
    """
    directory.mkdir(parents=True, exist_ok=True)
    chosen = report.choice.recommended
    plots = {
        f"quality-{axis.name}.svg": _template("chart.svg").render(
            chart=chart(
                report.points, axis, report.measure, report.reference.value, report.limits, chosen
            ),
            width=charts.WIDTH,
            height=charts.HEIGHT,
            left=charts.LEFT,
            right=charts.RIGHT,
            top=charts.TOP,
            bottom=charts.BOTTOM,
        )
        for axis in AXES
    }
    recommended = report.recommended_config
    config = None if recommended is None else as_toml(recommended)
    page = _template("page.html").render(
        report=report,
        on=report.measured_on,
        limits=", ".join(f"{name} {value}" for name, value in limits(report).items()),
        summary=summary(report, report.recommended) if report.recommended else [],
        plots=[Markup(plot) for plot in plots.values()],  # Safe: the template escapes all text.
        columns=_columns(report),
        rows=_rows(report),
        config=config,
    )
    figures = json.dumps(as_json(report), indent=1, ensure_ascii=False) + "\n"
    texts = {FIGURES: figures, PAGE: page, **plots, **({} if config is None else {CONFIG: config})}
    if config is None:
        (directory / CONFIG).unlink(missing_ok=True)  # The file of an earlier run.
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8")
    return [directory / name for name in texts]


def as_json(report: Report) -> dict[str, Any]:
    """Return all figures of a report as a JSON object."""
    config = report.recommended_config
    return {
        "collection": report.collection,
        "leg": report.leg,
        "measured_on": dict(report.measured_on),
        "machine": dict(report.machine),
        "notes": list(report.notes),
        "measure": report.measure,
        "reference": asdict(report.reference),
        "limits": asdict(report.limits),
        **asdict(report.choice),
        "front": list(report.front),
        "points": [
            {**point.as_json(), "missed_limits": sorted(report.limits.failed(point))}
            for point in report.points
        ],
        "skipped": [asdict(item) for item in report.skipped],
        "config": None if config is None else config.model_dump(mode="json"),
    }


def summary(report: Report, point: Point) -> list[tuple[str, str]]:
    """Return (name, formatted value) for each figure of a measured configuration."""
    width = report.measured_on["dimensions"] * FLOAT32_BYTES
    shown = [(report.measure, f"{point.quality:.4f}")]
    if point.ndcg is not None:
        relative = point.quality / report.reference.value if report.reference.value else 1.0
        shown += [("of exact search", f"{relative:.1%}"), ("recall@10", f"{point.recall:.3f}")]
    shown += [
        ("bytes per vector", f"{point.bytes_per_vector:,.0f}"),
        ("of float32", f"{point.bytes_per_vector / width:.0%}"),
        ("memory", f"{short(point.memory / 1e6)} MB"),
        ("p50", f"{short(point.p50_ms)} ms"),
        ("p95", f"{short(point.p95_ms)} ms"),
        ("CPU", f"{short(point.cpu_ms)} ms"),
        ("build", f"{point.build_seconds:.1f} s"),
    ]
    return shown


def limits(report: Report) -> Mapping[str, str]:
    """Return name -> formatted value, for each limit that the report has."""
    given = report.limits
    words = {
        "bytes per vector": given.bytes_per_vector and f"{given.bytes_per_vector:,.0f}",
        "memory": given.memory and f"{short(given.memory / 1e6)} MB",
        "p95": given.p95_ms and f"{given.p95_ms:g} ms",
        "recall": given.min_recall and f"{given.min_recall:g}",
    }
    return {name: value for name, value in words.items() if isinstance(value, str)}


def _columns(report: Report) -> list[str]:
    judged = [report.measure] if report.measure != "recall@10" else []
    return ["configuration", *judged, "recall@10", "bytes/vector", "memory MB", "p50 ms", "p95 ms",
            "CPU ms", "build s", "parameters"]  # fmt: skip


def _rows(report: Report) -> list[Row]:
    order = sorted(range(len(report.points)), key=lambda i: -report.points[i].quality)
    rows = []
    for i in order:
        point = report.points[i]
        numbers = [] if point.ndcg is None else [(point.ndcg, f"{point.ndcg:.4f}")]
        numbers += [
            (point.recall, f"{point.recall:.4f}"),
            (point.bytes_per_vector, f"{point.bytes_per_vector:,.0f}"),
            (point.memory, short(point.memory / 1e6)),
            (point.p50_ms, short(point.p50_ms)),
            (point.p95_ms, short(point.p95_ms)),
            (point.cpu_ms, short(point.cpu_ms)),
            (point.build_seconds, f"{point.build_seconds:.1f}"),
        ]
        used = point.parameters
        searched = "all" if not used else ", ".join(f"{k} {v}" for k, v in used.items())
        # The column sorts by the first parameter. An exact scan ("all") sorts last.
        first = next(iter(used.values())) if used else float("inf")
        cells: list[tuple[float | str, str]] = [(point.name, point.name), *numbers]
        cells.append((first, searched))
        missed = report.limits.failed(point)
        rows.append(Row(cells, i == report.choice.recommended, not missed))
    return rows


@cache
def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(name)
