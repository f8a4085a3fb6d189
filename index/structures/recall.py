"""A recall, or the parameter of a search that reaches it."""

from __future__ import annotations

from typing import TypeVar

from ...core import Config

C = TypeVar("C", bound=Config)


def recall_or(config: C, parameter: str) -> C:
    """The configuration. Raises ValueError where both are given."""
    fields = dict(config)
    if fields[parameter] is not None and fields["recall"] is not None:
        raise ValueError(f"recall and {parameter} both say how far to look: give one")
    return config
