"""Search a collection.

Each hit is printed with its fused score, and its rank and raw score in every leg that found it.
With --rerank, the reranker's score, the rank before reranking and the change of rank are printed;
--explain adds the reasons of the reranker. --json prints the result as the REST interface returns
it. With --vectors, a leg searches with your vector of the query. Without QUERY, only the legs of
--vectors run. With neither, --sort, --facet or --group find every document that meets --filter.
With --also, the hits of several collections are merged by their ranks, or by the fields of --sort.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from ....core import InvalidInputError
from ..arguments.arranging import add_arranging, add_highlight, arranging_fields
from ..arguments.common import (
    add_as_of,
    add_collection,
    add_json,
    add_models,
    add_selection,
    loader_of,
    selection_fields,
)
from ..arguments.reranking import add_rerank, rerank_choice
from ..arguments.rewriting import add_rewriter, rewriter_choice
from ..arguments.understanding import add_understanding, understanding_fields
from ..arguments.vectors import add_query_vectors, query_vectors
from ..terminal import print_federated, print_json, print_report, print_result

if TYPE_CHECKING:
    from ....search import Collection, SearchRequest

EXAMPLE = 'twindex search my-index "flightless birds" --legs dense,lexical=0.5 --explain'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_collection(parser)
    parser.add_argument(
        "query",
        metavar="QUERY",
        nargs="?",
        help="text to search for; not needed with --vectors, --sort, --facet or --group",
    )
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="COLLECTION",
        help="another collection to search; repeatable. The hits are merged by their ranks",
    )
    add_selection(parser)
    add_arranging(parser)
    add_highlight(parser)
    add_query_vectors(parser, "one row", inline=True)
    add_rerank(parser)
    add_understanding(parser)
    add_rewriter(parser)
    parser.add_argument(
        "--limit", type=int, default=10, metavar="N", help="number of hits (default: 10)"
    )
    parser.add_argument(
        "--offset", type=int, default=0, metavar="N", help="number of top hits to skip"
    )
    parser.add_argument(
        "--neighbours",
        type=int,
        default=0,
        metavar="N",
        help="also show this many passages before and after the best passage of a hit",
    )
    parser.add_argument(
        "--timeout-ms",
        type=float,
        metavar="MS",
        help="time limit of the search, without the time to load models (default: no limit)",
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="show how much each term adds to the score, the terms that sparse encoders chose, and "
        "the reasons of a reranker",
    )
    add_as_of(parser)
    add_models(parser)
    add_json(parser)


def _search_several(
    arguments: argparse.Namespace, request: SearchRequest, opening: Callable[[str], Collection]
) -> int:
    """Search the collections of --also too, and print the merged hits."""
    from ....search import FederatedRequest, federated_search

    folders = [str(arguments.collection), *arguments.also]
    given = {name: getattr(request, name) for name in request.model_fields_set}
    wanted = FederatedRequest.parse({**given, "collections": folders})
    with ExitStack() as stack:
        opened = {folder: stack.enter_context(opening(folder)) for folder in folders}
        if request.timeout_ms is not None:
            for collection in opened.values():
                collection.load()
        result = federated_search(opened, wanted)
    if arguments.json:
        from ...http.render import federated_result
        from ...serving.served import encoder_names

        encoders = {name: encoder_names(one.config) for name, one in opened.items()}
        print_json({"query": request.query, **federated_result(wanted, result, encoders)})
    else:
        print_federated(result, arguments.offset + 1, explain=arguments.explain)
    return 0


def run(arguments: argparse.Namespace) -> int:
    from ....search import Collection, SearchRequest

    rerank, rewriter = rerank_choice(arguments), rewriter_choice(arguments)
    vectors = query_vectors(arguments.vectors)
    arranged = arguments.sort or arguments.facet or arguments.group
    if arguments.query is None and not vectors and not arranged:
        raise InvalidInputError(
            "is required; write a query, give a vector with --vectors LEG=FILE, or list documents "
            "with --sort, --facet or --group",
            field="QUERY",
        )
    request = SearchRequest.parse(
        {
            "query": arguments.query,
            "vectors": vectors,
            "limit": arguments.limit,
            "offset": arguments.offset,
            "explain": arguments.explain,
            "neighbours": arguments.neighbours,
            "timeout_ms": arguments.timeout_ms,
            "as_of": arguments.as_of,
            "highlight": arguments.highlight,
            **selection_fields(arguments),
            **arranging_fields(arguments),
            **understanding_fields(arguments),
            **rewriter.fields,
            "rerank": next(iter(rerank.requests.values()), None),
        }
    )
    opening = partial(
        Collection.open,
        read_only=True,
        encoders=loader_of(arguments),
        rerankers=rerank.registry,
        rewriters=rewriter.registry,
    )
    if arguments.also:
        return _search_several(arguments, request, opening)
    with opening(arguments.collection) as collection:
        if request.timeout_ms is not None:
            collection.load()
        result = collection.search(request)
    if arguments.json:
        from ...http.render import search_result
        from ...serving.served import encoder_names

        names = encoder_names(collection.config)
        # Without --parse-filters, the result does not repeat the query.
        print_json({"query": request.query, **search_result(request, result, names)})
    else:
        print_result(result, first=request.offset + 1, explain=request.explain)
        if result.rerank is not None:
            (name,) = rerank.requests
            print_report(name, result.rerank)
    return 0
