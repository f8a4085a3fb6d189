"""The field `as_of` of a search request: the commit whose state is searched."""

from __future__ import annotations

from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema

from ...core.errors import shown


def _parse_as_of(value: object) -> int | str:
    """Return a commit number or a time as it is. The collection checks that it is one."""
    if isinstance(value, str) and len(value) <= 40:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 2**62:
        return value
    raise ValueError(
        f'must be the number of a commit or a time such as "2026-05-04T12:00:00Z", got '
        f"{shown(value)}"
    )


AsOfField = Annotated[
    int | str,
    PlainValidator(_parse_as_of),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "maxLength": 40}]}
    ),
]
"""Number of a commit, or a time as ISO 8601 text."""
