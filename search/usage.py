"""What language models did for a batch, divided among its texts."""

from __future__ import annotations

from dataclasses import fields

from ..core import Usage


def share(usage: Usage | None, part: int, parts: int) -> Usage | None:
    """What falls to one of `parts` texts that were encoded together, by its number from 0.

    An even share; what whole numbers leave over goes to the first texts, so that the shares add up
    to `usage`.
    """
    if usage is None:
        return None
    values = [getattr(usage, field.name) for field in fields(usage)]
    return Usage(
        *(
            value // parts + (part < value % parts) if isinstance(value, int) else value / parts
            for value in values
        )
    )
