"""Compare runs on the same queries, with p-values.

RUN is a TREC run, a report that `twindex eval --json` wrote (.json), or answers that
`twindex eval --answers-file` wrote (.jsonl). Each run is a system. In a report of
`twindex eval --table`, each row is a system, named FILE:ROW. The first system is the baseline. A
query that is missing in a run counts as 0. The p-values come from a paired, two-sided randomisation
test.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....core import InvalidInputError, Qrels, Run, SourceError
from ...figures import counted, p_value
from ..arguments.common import add_json
from ..terminal import note, print_json, table
from .eval import MEASURES, parse_measures

if TYPE_CHECKING:
    from ....eval import ComparedSystem, Measured

EXAMPLE = "twindex compare bm25.trec hybrid.trec --qrels qrels/test.tsv"

_SUFFIXES = (".gz", ".trec", ".run", ".txt", ".json", ".jsonl")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "runs",
        nargs="+",
        type=Path,
        metavar="RUN",
        help="TREC runs (`query Q0 document rank score tag`), reports (.json), answers (.jsonl); "
        "runs and reports also as .gz",
    )
    parser.add_argument(
        "--qrels", type=Path, metavar="FILE", help="relevance judgements; required for TREC runs"
    )
    parser.add_argument(
        "--measures",
        metavar="NAME,...",
        help=f"measures in the notation of ir_measures (default: {MEASURES}; if every RUN is a "
        "report, the measures that all reports have)",
    )
    parser.add_argument(
        "--baseline",
        metavar="NAME",
        help="system that the others are compared with: its file name without the suffix, or its "
        "path as given (default: the first system)",
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from ....eval import compare_systems
    from ....sources import read_qrels

    qrels = None if arguments.qrels is None else read_qrels(arguments.qrels)
    systems, measures = _measured(arguments, qrels)
    if len(systems) < 2:
        message = f"at least 2 systems are required, got {len(systems)}; name another run"
        raise InvalidInputError(message, field="RUN")
    baseline = _baseline(arguments, [system.name for system in systems])
    judged = None if qrels is None else qrels.keys()
    try:
        compared = compare_systems(systems, measures, baseline=baseline, queries=judged)
    except InvalidInputError as error:
        if error.field != "systems":
            raise
        raise InvalidInputError(error.message, field="RUN") from None
    queries = len(compared[0].per_query[measures[0]])
    for system in compared:
        _notices(system, queries)
    if arguments.json:
        print_json(
            {
                "baseline": baseline,
                "queries": queries,
                "systems": [_json(system) for system in compared],
            }
        )
    else:
        print("\n\n".join(_table(name, compared) for name in measures))
        note(
            f"{counted(queries, 'query', 'queries')}; better, equal, worse: numbers of queries; p: "
            "probability that chance alone produces a difference this large, not corrected for "
            "the number of comparisons"
        )
    return 0


def _measured(
    arguments: argparse.Namespace, qrels: Qrels | None
) -> tuple[list[Measured], list[str]]:
    """Return the systems in the files of RUN, and the names of the measures to compare."""
    from ....eval import Measured, is_report, measure_run, read_report, read_run

    runs: dict[str, Run] = {}
    reports: dict[str, Mapping[str, Mapping[str, float]]] = {}
    names: list[str] = []
    for path, short in zip(arguments.runs, _names(arguments.runs), strict=True):
        if is_report(path):
            found = {
                f"{short}:{row}" if row else short: values
                for row, values in read_report(path).items()
            }
            reports.update(found)
            names.extend(found)
        elif qrels is None:
            raise InvalidInputError(f"is required, because {path} is a TREC run", field="--qrels")
        else:
            runs[short] = _checked(path, read_run(path), qrels, arguments.qrels)
            names.append(short)
    if arguments.measures is not None:
        measures = list(dict.fromkeys(parse_measures(arguments.measures)))
    elif runs:
        measures = parse_measures(MEASURES)
    else:
        first, *others = reports.values()
        measures = [name for name in first if all(name in other for other in others)]
        if not measures:
            message = "the reports have no measure in common; run `twindex eval` again"
            raise InvalidInputError(message, field="--measures")
    for name, values in reports.items():
        if lost := [measure for measure in measures if measure not in values]:
            has = ", ".join(values)
            message = f"{name} has no values of {lost[0]}; choose from {has}, or run "
            raise InvalidInputError(
                f"{message}`twindex eval` again with --measures {lost[0]}", field="--measures"
            )
    if qrels is None:
        return [Measured(name, reports[name]) for name in names], measures
    return [
        Measured(name, reports[name])
        if name in reports
        else measure_run(name, runs[name], qrels, measures)
        for name in names
    ], measures


def _checked(path: Path, found: Run, qrels: Qrels, of: Path) -> Run:
    if not found:
        raise SourceError("contains no results; name another run", path=path)
    if not qrels.keys() & found.keys():
        message = f"none of its queries has judgements in {of}; use the same query ids in both"
        raise SourceError(message, path=path)
    return found


def _names(paths: list[Path]) -> list[str]:
    """Return the file names without suffixes, or the full paths if two of the names are equal."""
    if twice := sorted({str(path) for path in paths if paths.count(path) > 1}):
        raise InvalidInputError(f"{twice[0]} is given twice; name each run once", field="RUN")
    short = [_short(path) for path in paths]
    if len(set(short)) == len(short):
        return short
    return [str(path) for path in paths]


def _short(path: Path) -> str:
    name = path.name
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix) or name
    return name


def _baseline(arguments: argparse.Namespace, names: list[str]) -> str:
    wanted: str | None = arguments.baseline
    if wanted is None:
        return names[0]
    path, _, row = wanted.rpartition(":")
    for name in (wanted, _short(Path(wanted)), f"{_short(Path(path))}:{row}"):
        if name in names:
            return name
    message = f"no system is named {wanted!r}; the systems are: {', '.join(names)}"
    raise InvalidInputError(message, field="--baseline")


def _notices(system: ComparedSystem, queries: int) -> None:
    if system.absent:
        note(
            f"twindex: warning: {system.name} has no results for {system.absent} of "
            f"{counted(queries, 'query', 'queries')}; they count as 0"
        )
    if system.unjudged:
        note(
            f"twindex: warning: {counted(system.unjudged, 'query', 'queries')} of {system.name} "
            "skipped: no judgements"
        )


def _json(system: ComparedSystem) -> dict[str, Any]:
    comparisons = system.comparisons or {}
    return {
        "name": system.name,
        "measures": dict(system.means),
        "comparisons": {name: asdict(found) for name, found in comparisons.items()},
        "queries_without_results": system.absent,
        "queries_without_judgements": system.unjudged,
        "per_query": system.per_query,
    }


def _table(measure: str, systems: list[ComparedSystem]) -> str:
    lines = []
    for system in systems:
        cells = [system.name, f"{system.means[measure]:.4f}"]
        if system.comparisons is None:
            lines.append([f"{system.name} (baseline)", cells[1], "", "", "", "", ""])
        else:
            found = system.comparisons[measure]
            cells += [f"{found.difference:+.4f}", str(found.wins), str(found.ties)]
            lines.append([*cells, str(found.losses), p_value(found.p_value)])
    return table([measure, "mean", "difference", "better", "equal", "worse", "p"], lines)
