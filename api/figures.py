"""Format numbers for the command line and the pages."""

from __future__ import annotations


def size(count: int) -> str:
    """Format a number of bytes with a unit, such as `1.5 MB`. Units are powers of 1000."""
    value = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def figure(value: float) -> str:
    """Format a weight or score with three decimals.

    A whole number, or a number of at least 1,000, has no decimals.
    """
    whole = value == round(value) or abs(value) >= 1_000
    return f"{value:,.0f}" if whole else f"{value:.3f}"


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: `1 document`, `2 documents`.

    one:  the noun in the singular.
    many: its plural; None: `one` with an s.
    """
    return f"{count} {one if count == 1 else many or one + 's'}"


def p_value(value: float) -> str:
    """Format a p-value with four decimals, or as `< 0.0001` instead of `0.0000`."""
    return f"{value:.4f}" if value >= 0.0001 else "< 0.0001"
