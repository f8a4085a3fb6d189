"""The report of `twindex eval --table` on legs and fusions."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ....core import InvalidInputError, Progress, Qrels, Query
from ...figures import p_value

if TYPE_CHECKING:
    from ....eval import Row
    from ....search import Collection


def leg_report(
    collection: Collection,
    queries: list[Query],
    qrels: Qrels,
    measures: list[str],
    fields: dict[str, Any],
    baseline: str | None,
    progress: Progress,
) -> dict[str, Any]:
    """Return the report on each leg alone, and on all legs under each fusion.

    baseline: name of the row that the others are compared with; None: each fusion is compared, for
              each measure, with the best single leg.
    fields:   field of SearchRequest -> value, for all searches.

    Raises InvalidInputError if no row has the name `baseline`.
    """
    from ....eval import leg_table, searching_legs, systems

    known = [system.name for system in systems(searching_legs(collection))]
    check_baseline(baseline, known)
    rows = leg_table(collection, queries, qrels, measures, progress=progress, **fields)
    return {
        "queries": len(qrels),
        "filter": fields.get("filter"),
        "search": fields.get("search"),
        "table": [
            {
                "name": row.system.name,
                "legs": [leg.name for leg in row.system.legs],
                "fusion": row.system.fusion and row.system.fusion.method,
                "measures": dict(row.evaluation.measures),
                "comparisons": _comparisons(row, rows, measures, baseline),
                "per_query": row.evaluation.per_query,
                "ms_per_query": row.seconds / len(queries) * 1e3,
            }
            for row in rows
        ],
    }


def check_baseline(baseline: str | None, known: list[str]) -> None:
    """Raise InvalidInputError if `baseline` is not in `known`, the names of the rows."""
    if baseline is not None and baseline not in known:
        message = f"no row is named {baseline!r}; the rows are: {', '.join(known)}"
        raise InvalidInputError(message, field="--baseline")


def _comparisons(
    row: Row, rows: list[Row], measures: list[str], baseline: str | None
) -> dict[str, Any]:
    from ....eval import compare

    found = {}
    for name in measures:
        if baseline is None:
            legs = [other for other in rows if other.system.fusion is None]
            best = max(legs, key=lambda leg: leg.evaluation.measures[name])
            compared = row.system.fusion is not None
        else:
            (best,) = (other for other in rows if other.system.name == baseline)
            compared = row is not best
        if compared:
            values = (one.evaluation.per_query[name] for one in (row, best))
            found[name] = {"baseline": best.system.name, **asdict(compare(*values))}
    return found


def cells(row: dict[str, Any], measures: list[str]) -> list[str]:
    """Return the cells of a table row: its name, then the value and p-value of each measure.

    If `row` has no p-value for a measure, the cell for the p-value is empty.
    """
    shown = [row["name"]]
    for name in measures:
        found = row.get("comparisons", {}).get(name)
        shown += [f"{row['measures'][name]:.4f}", p_value(found["p_value"]) if found else ""]
    return shown
