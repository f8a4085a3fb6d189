"""Limits that a caller sets for one search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _always() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Guard:
    """Limits of one search.

    check:      function that is called between the stages of a search and between the searches of a
                batch. It may raise an exception to end the search. A stage is never interrupted.
    page_bytes: maximum size, in bytes, of the titles, texts and metadata of all returned hits
                together. None: no limit.
    """

    check: Callable[[], None] = _always
    page_bytes: int | None = None


UNGUARDED = Guard()
"""A guard without limits."""
