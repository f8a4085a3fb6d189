"""The section of service/load.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import table, whole

TITLE = "The server under load"


def _row(title: str, found: dict[str, Any]) -> list[str]:
    return [title, whole(found["per_second"])] + [
        f"{found[f'p{share}_ms']:.1f}" for share in (50, 95, 99)
    ]


def section(figures: dict[str, Any]) -> Iterator[str]:
    yield (
        f"Searches of {whole(figures['documents'])} documents by three legs with fake encoders. "
        "The server and the driver have a core each. Higher searches a second and lower "
        "milliseconds are better."
    )
    rows = [_row("in process, one thread", figures["process"])]
    rows += [_row(f"{n} clients", one["ok"]) for n, one in figures["clients"].items()]
    rows += [
        _row(f"{times} times the rate of the most clients, accepted", one["ok"])
        for times, one in figures["overload"].items()
    ]
    for share, one in figures["bulk"].items():
        rows.append(_row(f"four clients, `bulk_share` {share}", one["alone"]["ok"]))
        rows.append(_row("the same beside four bulk writers", one["beside"]["ok"]))
    rows.append(_row("one client of a key", figures["tenants"]["alone"]["ok"]))
    rows.append(_row("the same beside a flood by another", figures["tenants"]["beside"]["ok"]))
    if "beside_limited" in figures["tenants"]:
        found = figures["tenants"]["beside_limited"]["ok"]
        rows.append(_row("the same beside a flood by a key beyond its limit", found))
    yield table(["", "searches/s", "p50 ms", "p95 ms", "p99 ms"], rows)
    yield (
        "Searches by the default legs. Models encode a query alone (`query_batch` is one), or with "
        "others (the default). Most of the time of such a search is that of its models."
    )
    yield table(
        ["clients", "`query_batch`", "searches/s", "p50 ms", "p95 ms", "p99 ms", "CPU ms a search"],
        (
            [count, setting, *_row("", one["ok"])[1:], f"{one['cpu_ms']:.1f}"]
            for count in figures["batches"]["default"]
            for setting, by_count in figures["batches"].items()
            for one in [by_count[count]]
        ),
    )
    for times, one in figures["overload"].items():
        before, after = one["resident_mb"]
        statuses = ", ".join(f"{status}: {whole(n)}" for status, n in one["statuses"].items())
        yield (
            f"At {times} times: statuses {statuses}; memory {before:.0f} MB before and {after:.0f} "
            f"MB after; p99 a second later {one['recovered_p99_ms']:.1f} ms."
        )
