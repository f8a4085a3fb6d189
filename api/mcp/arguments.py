"""The arguments of the tools."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from ...core import Config
from ...core.bounds import Bounds
from ...core.config import Flag
from ...core.filters.help import FILTER_HELP

MOST = 100
"""Maximum number of results of a tool call."""

Results = Annotated[int, Bounds(1, MOST)]
Position = Annotated[int, Bounds(0, 1 << 40)]
Filter = Annotated[dict[str, Any], Field(description=FILTER_HELP)]


class ListArguments(Config):
    """The arguments of `list_collections`: none."""


class SearchArguments(Config):
    """The arguments of `search`.

    query:      what to search for, in words. Whole questions and single words both work.
    collection: name of the collection to search. Required if the server has several;
                `list_collections` returns their names.
    limit:      maximum number of results.
    filter:     condition that every document meets.
    parse_filters: read conditions such as year:>2019 in the query as a filter, and search the rest.
    """

    query: str
    collection: str = ""
    limit: Results = 10
    filter: Filter = Field(default_factory=dict)
    parse_filters: Flag = False


class FetchArguments(Config):
    """The arguments of `fetch`.

    id:    id of a document, as `search` and `answer` return it: COLLECTION/ID, such as birds/kiwi.
    start: position of the first character of the text to return, in code points from 0.
    end:   position after the last character of the text to return. Without it, the text is
           returned to its end.
    """

    id: str
    start: Position = 0
    end: Position | None = None


class AnswerArguments(Config):
    """The arguments of `answer`.

    question:   the question, in words.
    collection: name of the collection that the answer is based on. Required if the server has
                several; `list_collections` returns their names.
    limit:      maximum number of documents to search for passages.
    filter:     condition that every document meets.
    parse_filters: read conditions such as year:>2019 in the question as a filter, and search the
                rest.
    """

    question: str
    collection: str = ""
    limit: Results = 10
    filter: Filter = Field(default_factory=dict)
    parse_filters: Flag = False
