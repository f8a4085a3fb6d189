"""Numbers and short texts for people."""

from __future__ import annotations


def size(count: int) -> str:
    """Bytes in the largest unit of 1000 that leaves a number above 1."""
    value = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def figure(value: float) -> str:
    """A weight or score: whole or large ones without decimals."""
    whole = value == round(value) or abs(value) >= 1_000
    return f"{value:,.0f}" if whole else f"{value:.3f}"


def counted(count: int, one: str, many: str | None = None) -> str:
    """`1 document`, `2 documents`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def p_value(value: float) -> str:
    """Four decimals; what would be shown as 0 is `< 0.0001`. A p-value is never 0."""
    return f"{value:.4f}" if value >= 0.0001 else "< 0.0001"
