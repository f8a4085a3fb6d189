"""Division of a batch's language-model usage among its texts."""

from __future__ import annotations

from dataclasses import fields

from ..core import Usage


def usage_share(usage: Usage | None, part: int, parts: int) -> Usage | None:
    """Return the share of one text in the usage of a batch.

    usage: usage of the whole batch, or None.
    part:  number of the text in the batch, from 0.
    parts: number of texts in the batch.

    All shares are equal, except that the first texts receive the remainders of integer fields. So
    the shares add up to `usage`.
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
