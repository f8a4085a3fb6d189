"""Format numbers and short texts for people."""

from __future__ import annotations


def size(count: int) -> str:
    """Format a number of bytes in the largest unit (a power of 1000) that leaves at least 1."""
    value = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def figure(value: float) -> str:
    """Format a weight or score: no decimals if it is whole or at least 1,000, else three."""
    whole = value == round(value) or abs(value) >= 1_000
    return f"{value:,.0f}" if whole else f"{value:.3f}"


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: `1 document`, `2 documents`.

    many: the plural; None: `one` with an s.
    """
    return f"{count} {one if count == 1 else many or one + 's'}"


def p_value(value: float) -> str:
    """Format a p-value with four decimals, or as `< 0.0001`, because a p-value is never 0."""
    return f"{value:.4f}" if value >= 0.0001 else "< 0.0001"
