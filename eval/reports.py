"""The values of each query in a report that `twindex eval --json` wrote."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from ..core import SourceError
from ..sources.lines import plain_suffix, read_whole

_TABLES = ("table", "rerank_table")

PerQuery = Mapping[str, Mapping[str, float]]
"""Measure -> query id -> value."""


def is_report(path: Path) -> bool:
    """Whether the file's name says that it holds a report, not a run: `.json` or `.json.gz`."""
    return plain_suffix(path) == ".json"


def read_report(path: Path) -> dict[str, PerQuery]:
    """Name of each system of the report -> its values; a report on one system has the name "".

    Raises SourceError, with the line or the field, when the file is not such a report.
    """
    try:
        report = orjson.loads(read_whole(path))
    except orjson.JSONDecodeError as error:
        message = f"not JSON: {error.msg} (column {error.colno})"
        raise SourceError(message, path=path, line=error.lineno) from None
    if not isinstance(report, dict):
        raise SourceError("must hold the object that `twindex eval --json` prints", path=path)
    if not any(name in report for name in _TABLES):
        return {"": _values(report, path, "")}
    found: dict[str, PerQuery] = {}
    for table in _TABLES:
        rows = report.get(table, [])
        if not isinstance(rows, list):
            raise SourceError("must be a list", path=path, field=table)
        for number, row in enumerate(rows):
            place = f"{table}[{number}]"
            name = row.get("name") if isinstance(row, dict) else None
            if not isinstance(name, str) or not name or name in found:
                raise SourceError("must have a name of its own", path=path, field=place)
            found[name] = _values(row, path, f"{place}.")
    if not found:
        raise SourceError("has no rows", path=path, field="table")
    return found


def _values(row: dict[str, Any], path: Path, place: str) -> PerQuery:
    per_query = row.get("per_query")
    if not isinstance(per_query, dict) or not per_query:
        message = "missing; write the report with `twindex eval --json`"
        raise SourceError(message, path=path, field=f"{place}per_query")
    for measure, values in per_query.items():
        here = f"{place}per_query.{measure}"
        if not isinstance(values, dict) or not values:
            raise SourceError("must be an object: query id -> value", path=path, field=here)
        for query, value in values.items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not math.isfinite(value):
                shown = orjson.dumps(value).decode()[:40]
                message = f"must be a finite number, got {shown}"
                raise SourceError(message, path=path, field=f"{here}.{query}")
    return per_query
