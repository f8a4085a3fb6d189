"""How much work the searches of one request may ask for."""

from __future__ import annotations

from collections.abc import Sequence

from ...search import SearchRequest
from .problems import Problem
from .settings import Settings

BATCH_QUERIES = 10
"""A batch may have so many times the characters of one query."""


def check_work(
    settings: Settings, requests: Sequence[SearchRequest], *, batch: bool = False
) -> None:
    """Raise Problem 422 for queries that are too long, or a batch that takes too many documents
    from its legs in all."""
    characters = depth = 0
    for i, asked in enumerate(requests):
        query = asked.query or ""
        check_query(settings, query, f"requests[{i}].query" if batch else "query")
        characters += len(query)
        depth += max((leg.depth or asked.depth for leg in asked.legs), default=asked.depth)
    most = BATCH_QUERIES * settings.query_chars
    if batch and characters > most:
        raise _invalid(
            "requests",
            f"the queries of a batch may have {most} characters in all, got {characters}",
        )
    if batch and depth > settings.batch_depth:
        raise _invalid(
            "requests",
            f"the depths of a batch add up to {depth}, at most {settings.batch_depth} "
            "(`batch_depth`): lower `depth` or send fewer searches at once",
        )


def check_query(settings: Settings, query: str, field: str = "query") -> None:
    """Raise Problem 422 for a query that is too long."""
    if len(query) > settings.query_chars:
        raise _invalid(
            field, f"has {len(query)} characters; at most {settings.query_chars} (`query_chars`)"
        )


def _invalid(field: str, message: str) -> Problem:
    return Problem(422, f"{field}: {message}", errors=[{"field": field, "message": message}])
