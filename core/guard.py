"""Limits that a caller sets for one search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _always() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Guard:
    """Limits of one search.

    check:      called between the stages of a search and between the searches of a batch. It may
                raise to end the search. A running stage is not interrupted.
    page_bytes: maximum size of titles, texts and metadata in the hits of a page. None: no limit.
    """

    check: Callable[[], None] = _always
    page_bytes: int | None = None


UNGUARDED = Guard()
"""A guard without limits."""
