"""Numbers, tables and lines of the page of figures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

SETS = {
    "scifact": "SciFact",
    "cranfield": "Cranfield",
    "cisi": "CISI",
    "nq_open_oracle": "NQ open (gold passages)",
    "msrd_movies": "MSRD movies",
    "xquad_de": "XQuAD, German",
    "xquad_en": "XQuAD, English",
    "rfc": "RFCs",
    "qmsum_meetings_long": "QMSum meetings",
    "musique_100": "MuSiQue",
}


def set_name(name: str) -> str:
    """The name of a collection as people write it; `name:N` is a sample of N documents."""
    plain, _, size = name.partition(":")
    return SETS.get(plain, plain) + (f", {int(size):,} documents" if size else "")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [list(header), ["---"] * len(header), *map(list, rows)]
    return "\n".join(
        "|" + "".join(f" {cell} |" if cell else " |" for cell in line) for line in lines
    )


def part(value: float, places: int = 3) -> str:
    """A number, without the zero before the point where it is between -1 and 1."""
    digits = Decimal(str(value)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    return bare(f"{digits:f}")


def bare(number: str) -> str:
    """A number in digits without a zero before its point."""
    return re.sub(r"^(-?)0\.", r"\1.", number)


def signed(value: float, places: int = 3) -> str:
    """As `part`, always with a sign."""
    return ("+" if value >= 0 else "") + part(value, places)


def whole(value: float) -> str:
    """A rounded number with commas."""
    return f"{value:,.0f}"


def figures(value: float, digits: int = 2) -> str:
    """A positive number to some significant digits, without an exponent."""
    rounded = float(f"{value:.{digits}g}")
    if rounded >= 10 ** (digits - 1):
        return f"{rounded:,.0f}"
    return bare(f"{rounded:.10f}".rstrip("0").removesuffix("."))


def counted(number: int, noun: str) -> str:
    """1 thread, 2 threads."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def scientific(value: float) -> str:
    """One digit with an exponent, for differences that are almost nothing."""
    return f"{value:.0e}" if value else str(0)


def percent(value: float, places: int = 0) -> str:
    return f"{100 * value:.{places}f} %"


def chance(p_value: float) -> str:
    """A p-value."""
    least = 0.001
    return f"p < {part(least)}" if p_value < least else f"p = {part(p_value)}"


def listed(words: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def made(record: Mapping[str, Any]) -> str:
    """How the figures of a section were made, in one line."""
    processor = record["processor"]
    versions = [f"{package} {number}" for package, number in record["versions"].items()]
    minutes = record["minutes"]
    taken = f"{whole(minutes)} minutes" if round(minutes) > 1 else f"{whole(60 * minutes)} seconds"
    return (
        f"*Made with `{record['command']}` on {record['date']} in {taken}. "
        f"{processor['model']}, {processor['cores']} cores, "
        f"{' '.join(processor['features']) or 'no listed features'}. {', '.join(versions)}.*"
    )
