"""Compares several systems with a baseline system, query by query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from ..core import InvalidInputError, Qrels, Run
from .measures import DEFAULT_MEASURES, evaluate
from .significance import Comparison, compare


@dataclass(frozen=True, slots=True)
class Measured:
    """The values of the measures for one system, for each query.

    name:      name of the system.
    per_query: measure -> query id -> value.
    absent:    ids of judged queries for which the system has no results. Their values are those of
               an empty list of hits.
    unjudged:  number of queries in the system's run that were ignored because they have no
               judgements.
    """

    name: str
    per_query: Mapping[str, Mapping[str, float]]
    absent: Set[str] = frozenset()
    unjudged: int = 0


@dataclass(frozen=True, slots=True)
class ComparedSystem:
    """One system in a comparison.

    name:        name of the system.
    means:       measure -> mean over all queries of the comparison.
    per_query:   measure -> query id -> value, for every query of the comparison.
    absent:      number of queries of the comparison for which the system has no results. Their
                 values are 0.
    unjudged:    number of queries that were ignored because they are not part of the comparison.
    comparisons: measure -> comparison of this system with the baseline. None for the baseline.
    """

    name: str
    means: Mapping[str, float]
    per_query: Mapping[str, Mapping[str, float]]
    absent: int
    unjudged: int
    comparisons: Mapping[str, Comparison] | None


def measure_run(
    name: str, run: Run, qrels: Qrels, measures: Sequence[str] = DEFAULT_MEASURES
) -> Measured:
    """Compute the measures of a system's run for every judged query.

    name: name of the system.

    Raises the same errors as `evaluate`.
    """
    return Measured(
        name=name,
        per_query=evaluate(run, qrels, measures).per_query,
        absent=frozenset(query for query in qrels if not run.get(query)),
        unjudged=sum(query not in qrels for query in run),
    )


def compare_systems(
    systems: Sequence[Measured],
    measures: Sequence[str],
    *,
    baseline: str | None = None,
    queries: Set[str] | None = None,
) -> list[ComparedSystem]:
    """Compare each system with the baseline by a paired randomisation test (`compare`).

    baseline: name of the system that the others are compared with. None: the first system.
    queries:  ids of the queries to compare. None: all queries for which any system has a value.

    A system without a value for a query gets the value 0, as with `trec_eval -c`, and the query
    counts as `absent`. Queries of a system that are not compared are ignored and count as
    `unjudged`. p-values are not corrected for the number of comparisons.

    Raises InvalidInputError for fewer than two systems, duplicate names, an unknown baseline, a
    measure that a system lacks, an empty set of queries, and a system that has no query in common
    with the baseline.
    """
    names = [system.name for system in systems]
    if len(names) < 2:
        raise InvalidInputError(f"must be at least 2 systems, got {len(names)}", field="systems")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InvalidInputError(
            f"two systems have the name {twice[0]!r}; give each a unique name", field="systems"
        )
    wanted = names[0] if baseline is None else baseline
    if wanted not in names:
        message = f"no system is named {wanted!r}; the systems are: {', '.join(names)}"
        raise InvalidInputError(message, field="baseline")
    for system in systems:
        if lost := [name for name in measures if name not in system.per_query]:
            has = ", ".join(system.per_query) or "none"
            message = f"system {system.name} has no values of {lost[0]}; it has: {has}"
            raise InvalidInputError(message, field="measures")
    if queries is None:
        queries = set().union(*(system.per_query[name] for system in systems for name in measures))
    if not queries:
        raise InvalidInputError(
            "there is no query to compare; pass `queries`, or systems with values for queries",
            field="queries",
        )
    common = queries & _queries(systems[names.index(wanted)], measures)
    for system in systems:
        if not common & _queries(system, measures):
            other = "the queries compared" if system.name == wanted else f"system {wanted}"
            message = f"system {system.name} has no query in common with {other}"
            raise InvalidInputError(
                f"{message}; use the same query ids for all systems", field="systems"
            )
    filled = [_fill_zeros(system, measures, queries) for system in systems]
    first = filled[names.index(wanted)]
    return [
        ComparedSystem(
            name=system.name,
            means={name: sum(values.values()) / len(values) for name, values in own.items()},
            per_query=own,
            absent=sum(
                query in system.absent or any(query not in system.per_query[n] for n in measures)
                for query in queries
            ),
            unjudged=system.unjudged + len(_queries(system, measures) - queries),
            comparisons=None
            if system.name == wanted
            else {name: compare(own[name], first[name]) for name in measures},
        )
        for system, own in zip(systems, filled, strict=True)
    ]


def _queries(system: Measured, measures: Sequence[str]) -> set[str]:
    return set().union(*(system.per_query[name] for name in measures))


def _fill_zeros(
    system: Measured, measures: Sequence[str], queries: Set[str]
) -> dict[str, dict[str, float]]:
    """Return measure -> query id -> the system's value, for all `queries`. Missing values are 0."""
    ordered = sorted(queries)
    return {
        name: {query: system.per_query[name].get(query, 0.0) for query in ordered}
        for name in measures
    }
