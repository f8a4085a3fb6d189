"""Limits on the texts and the depth of a request."""

from __future__ import annotations

from collections.abc import Sequence

from ....search import AnswerRequest, SearchRequest
from ..problems import invalid_field
from ..settings import Settings

BATCH_QUERIES = 10
"""All queries of a batch together may have this many times the characters of one query."""


def check_work(
    settings: Settings, requests: Sequence[SearchRequest], *, batch: bool = False
) -> None:
    """Raise Problem 422 if a query is too long, or if a batch is too large.

    A batch has two limits: the number of characters of all queries together, and the sum of `depth`
    over all searches.
    """
    characters = depth = 0
    for i, search in enumerate(requests):
        query = search.query or ""
        check_query(settings, query, f"requests[{i}].query" if batch else "query")
        characters += len(query)
        depth += max((leg.depth or search.depth for leg in search.legs), default=search.depth)
    most = BATCH_QUERIES * settings.query_chars
    if batch and characters > most:
        raise invalid_field(
            "requests",
            f"the queries of a batch must have at most {most:,} characters in total (ten times the "
            f"setting `query_chars`), got {characters:,}; send fewer searches",
        )
    if batch and depth > settings.batch_depth:
        raise invalid_field(
            "requests",
            f"the sum of `depth` must be at most {settings.batch_depth} (setting `batch_depth`), "
            f"got {depth}; lower `depth` or send fewer searches",
        )


def check_query(settings: Settings, query: str, field: str = "query") -> None:
    """Raise Problem 422 if a query is too long. field: path of the query in the request."""
    if len(query) > settings.query_chars:
        raise invalid_field(
            field,
            f"must have at most {settings.query_chars:,} characters (setting `query_chars`), "
            f"got {len(query):,}",
        )


def check_texts(settings: Settings, texts: Sequence[str], field: str) -> None:
    """Raise Problem 422 if a text to embed is longer than a query may be."""
    for i, text in enumerate(texts):
        if len(text) > settings.query_chars:
            check_query(settings, text, f"{field}[{i}]")


def check_answer(settings: Settings, request: AnswerRequest) -> None:
    """Raise Problem 422 if the question, the query, a turn or all turns together are too long."""
    check_query(settings, request.question, "question")
    check_query(settings, request.search.query or "", "search.query")
    for i, turn in enumerate(request.turns):
        check_query(settings, turn.content, f"turns[{i}].content")
    most = BATCH_QUERIES * settings.query_chars
    if (characters := sum(len(turn.content) for turn in request.turns)) > most:
        raise invalid_field(
            "turns",
            f"must have at most {most:,} characters in total (ten times the setting "
            f"`query_chars`), got {characters:,}; send only the latest turns",
        )
