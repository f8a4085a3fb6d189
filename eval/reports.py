"""Reads the values of the measures for each query from a report of `twindex eval --json`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from ..core import SourceError
from ..sources.lines import plain_suffix, read_whole
from .answers.records import read_values

_TABLES = ("table", "rerank_table")

PerQuery = Mapping[str, Mapping[str, float]]
"""Measure -> query id -> value."""


def is_report(path: Path) -> bool:
    """Return True if the file name is that of a report, not of a run.

    Reports are `.json` and `.json.gz`, and `.jsonl` for the answers of `twindex eval --answers`.
    """
    return plain_suffix(path) == ".json" or path.suffix == ".jsonl"


def read_report(path: Path) -> dict[str, PerQuery]:
    """Return name of a system -> the values of its measures for each query.

    A report on one system has no name; the name is then "". A `.jsonl` file has the answers of one
    system.

    Raises SourceError if the file is neither a report of `twindex eval --json` nor a file of
    `twindex eval --answers-file`. The error names the line or field.
    """
    if path.suffix == ".jsonl":
        return {"": read_values(path)}
    try:
        report = orjson.loads(read_whole(path))
    except orjson.JSONDecodeError as error:
        message = f"is not valid JSON: {error.msg} (column {error.colno})"
        raise SourceError(message, path=path, line=error.lineno) from None
    if not isinstance(report, dict):
        raise SourceError("must be a JSON object, as `twindex eval --json` writes it", path=path)
    if not any(name in report for name in _TABLES):
        return {"": _values(report, path, "")}
    systems: dict[str, PerQuery] = {}
    for table in _TABLES:
        rows = report.get(table, [])
        if not isinstance(rows, list):
            raise SourceError("must be a list with one object per system", path=path, field=table)
        for number, row in enumerate(rows):
            field = f"{table}[{number}]"
            name = row.get("name") if isinstance(row, dict) else None
            if not isinstance(name, str) or not name or name in systems:
                message = "must be an object with a `name` that no other row has"
                raise SourceError(message, path=path, field=field)
            systems[name] = _values(row, path, f"{field}.")
    if not systems:
        raise SourceError("must be a list with at least one row", path=path, field="table")
    return systems


def _values(row: dict[str, Any], path: Path, prefix: str) -> PerQuery:
    """Return measure -> query id -> value, from one row of a report.

    prefix: path of the row in the JSON file, for errors.

    Raises SourceError if the values are missing or invalid.
    """
    per_query = row.get("per_query")
    if not isinstance(per_query, dict) or not per_query:
        message = "is missing; write the report with `twindex eval --json`"
        raise SourceError(message, path=path, field=f"{prefix}per_query")
    for measure, values in per_query.items():
        field = f"{prefix}per_query.{measure}"
        if not isinstance(values, dict) or not values:
            raise SourceError(
                "must be an object with a value for each query id", path=path, field=field
            )
        for query, value in values.items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not math.isfinite(value):
                shown = orjson.dumps(value).decode()[:40]
                message = f"must be a finite number, got {shown}"
                raise SourceError(message, path=path, field=f"{field}.{query}")
    return per_query
