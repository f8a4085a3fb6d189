"""Search a collection.

Each hit is shown with its fused score, and its rank and raw score in every leg that found it.
--json prints what the REST interface replies.
"""

from __future__ import annotations

import argparse

from ..terminal import print_json, print_result
from .arguments import (
    add_collection,
    add_json,
    add_models,
    add_selection,
    loader_of,
    selection_fields,
)

EXAMPLE = 'twindex search my-index "flightless birds" --legs dense,lexical=0.5 --explain'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_collection(parser)
    parser.add_argument("query", metavar="QUERY", help="text to search for")
    add_selection(parser)
    parser.add_argument("--limit", type=int, default=10, metavar="N", help="hits (default: 10)")
    parser.add_argument(
        "--offset", type=int, default=0, metavar="N", help="hits left out at the top"
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="show what each term contributed to the score, and the words that models chose",
    )
    add_models(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from ...search import Engine, SearchRequest

    request = SearchRequest.parse(
        {
            "query": arguments.query,
            "limit": arguments.limit,
            "offset": arguments.offset,
            "explain": arguments.explain,
            **selection_fields(arguments),
        }
    )
    encoders = loader_of(arguments)
    with Engine.open(arguments.collection, read_only=True, encoders=encoders) as engine:
        result = engine.search(request)
    if arguments.json:
        from ..render import encoder_names, search_result

        names = encoder_names(engine.config)
        print_json({"query": request.query, **search_result(request, result, names)})
    else:
        print_result(result, first=request.offset + 1)
    return 0
