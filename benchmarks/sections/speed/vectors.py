"""The section of speed/vectors.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import listed, part, table, whole

TITLE = "Vectors in memory"
BASE = "faiss HNSW32"
OURS = "twindex"


def named(system: str) -> str:
    for short, long in (("twindex", "Twindex"), ("faiss", "FAISS"), ("scann", "scann")):
        if system.startswith(short):
            return long + system.removeprefix(short)
    return system


def by_system(figures: dict[str, Any]) -> dict[str, dict[float, dict[str, Any]]]:
    """System -> recall -> row; Twindex's come first."""
    found: dict[str, dict[float, dict[str, Any]]] = {}
    for row in sorted(figures["systems"], key=lambda row: not row["system"].startswith(OURS)):
        found.setdefault(row["system"], {})[row["recall@10"]] = row
    return found


def section(figures: dict[str, Any]) -> Iterator[str]:
    found = by_system(figures)
    recalls = sorted({row["recall@10"] for row in figures["systems"]})
    yield (
        "CPU time of a query as a ratio to FAISS's HNSW32 in the same rounds; lower is better. "
        f"There are {whole(figures['vectors'])} {figures['data']} vectors of {figures['width']} "
        f"dimensions and {whole(figures['queries'])} queries. Each system runs at its cheapest "
        "setting that reaches the recall@10 of the column."
    )
    yield table(
        [
            "",
            *map(part_of_recall, recalls),
            "bytes a vector in memory",
            "of mapped files besides",
            "build, CPU s",
        ],
        (
            [
                named(system),
                *(cell(rows[r], system) if r in rows else "not reached" for r in recalls),
                whole(first["held B/vector"]),
                whole(first["mapped B/vector"]) if first["mapped B/vector"] else "",
                whole(first["build CPU s"]),
            ]
            for system, rows in found.items()
            for first in [next(iter(rows.values()))]
        ),
    )
    yield (
        "The number after a name is the candidates that the system rescores for each result. "
        "Mapped files hold original vectors, and the operating system may drop their pages."
    )
    asked: dict[str, list[str]] = {}
    for row in figures["calibrated"]:
        asked.setdefault(row["system"], []).append(
            f"{part(row['reached'])} ({part(row['asked'], 2)})"
        )
    yield "Recall on queries that calibration had not seen, with the recall that was requested:"
    yield "\n".join(f"- {named(system)}: {', '.join(values)}." for system, values in asked.items())
    yield "Times of a Twindex structure and segment, as ratios to the bare call of FAISS inside:"
    yield "\n".join(
        f"- {named(row['system'])}: structure {row['structure']:.1f}, segment {row['segment']:.1f}."
        for row in figures["overhead"]
    )
    batches = [f"{row['ours speed-up']:.1f} ({row['queries']})" for row in figures["exact"]]
    yield (
        "Speed of exact search as a ratio to FAISS's, higher is better, with the number of queries "
        f"in a batch: {listed(batches)}."
    )


def part_of_recall(recall: float) -> str:
    return f"recall {part(recall, 2)}"


def cell(row: dict[str, Any], system: str) -> str:
    if system == BASE:
        return f"{row['ratio']:.0f} ({whole(row['us'])} us)"
    return part(row["ratio"], 2)


def compared(figures: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    found = by_system(figures)
    recalls = sorted({row["recall@10"] for row in figures["systems"]})
    recall = recalls[len(recalls) // 2 - 1]
    rows = {system: by_recall[recall] for system, by_recall in found.items() if recall in by_recall}

    def of(system: str) -> str:
        row = rows[system]
        held = f"{whole(row['held B/vector'])} bytes a vector"
        return f"{cell(row, '')} ({named(system).removeprefix('Twindex ')}, {held})"

    ours = [of(system) for system in rows if system == f"{OURS} ivf"]
    others = [system for system in rows if not system.startswith(OURS)]
    best = min((s for s in others if s != BASE), key=lambda s: rows[s]["ratio"], default=None)
    peers = [of(BASE)] + ([of(best)] if best else [])
    number = whole(figures["vectors"])
    title = f"{number} vectors in memory, recall {part(recall, 2)}, CPU time, lower is better"
    yield title, ", ".join(ours), ", ".join(peers)
