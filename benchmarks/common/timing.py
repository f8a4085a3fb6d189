"""Functions that time several systems on the same queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from time import process_time
from typing import Any


def cpu_per_query(
    systems: Mapping[str, Callable[[int], Any]], counts: Mapping[str, int], rounds: int
) -> dict[str, float]:
    """CPU time of a query in microseconds: the median of interleaved rounds.

    A system is a function of the number of a query. `counts` has the queries of each system in a
    round. The CPU time is that of all threads of this process.
    """
    return {name: median(t) for name, t in cpu_rounds(systems, counts, rounds).items()}


def cpu_rounds(
    systems: Mapping[str, Callable[[int], Any]], counts: Mapping[str, int], rounds: int
) -> dict[str, list[float]]:
    """CPU time of a query in microseconds, for each round; see `cpu_per_query`."""
    taken: dict[str, list[float]] = {name: [] for name in systems}
    for search in systems.values():
        search(0)
    for _ in range(rounds):
        for name, search in systems.items():
            began = process_time()
            for query in range(counts[name]):
                search(query)
            taken[name].append((process_time() - began) / counts[name] * 1e6)
    return taken


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Format rows with the same keys as aligned columns."""
    columns = list(rows[0])
    cells = [columns] + [
        [f"{row[c]:,.4g}" if isinstance(row[c], float) else str(row[c]) for c in columns]
        for row in rows
    ]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    return "\n".join(
        "  ".join(cell.rjust(width) if i else cell.ljust(width) for i, (cell, width) in pairs)
        for line in cells
        for pairs in [list(enumerate(zip(line, widths, strict=True)))]
    )
