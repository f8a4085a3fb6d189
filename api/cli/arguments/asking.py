"""The options of `twindex ask` and `twindex chat`, and the request that they describe."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, get_args

from ....core import InvalidInputError, SourceError
from ....generate.protocol import CitationOptions
from ...serving.settings import option
from .answering import (
    CONTEXT,
    GeneratorChoice,
    add_context,
    add_generator,
    answer_fields,
    generator_choice,
)
from .background import add_background, search_fields
from .common import add_collection, add_models, add_selection, given, loader_of, selection_fields
from .reranking import RerankChoice, add_rerank, rerank_choice
from .rewriting import RewriterChoice, add_rewriter, rewriter_choice
from .understanding import add_understanding, understanding_fields

if TYPE_CHECKING:
    from ....search import Collection

_WRITING = ("temperature", "seed", "timeout_ms")
_CITATIONS = ("unsupported", "min_support", "match")


@dataclass(frozen=True, slots=True)
class AskedOptions:
    """What the options of `add_asking` mean.

    fields:   field of AnswerRequest -> value, without the question.
    reranker: name of the reranker; None without `--rerank`.
    """

    fields: dict[str, Any]
    generator: GeneratorChoice
    reranker: str | None
    rerank: RerankChoice
    rewriter: RewriterChoice

    def open(self, arguments: argparse.Namespace) -> Collection:
        """Open the collection for reading, with the models that the options select."""
        from ....search import Collection

        return Collection.open(
            arguments.collection,
            read_only=True,
            encoders=loader_of(arguments),
            rerankers=self.rerank.registry,
            generators=self.generator.registry,
            rewriters=self.rewriter.registry,
        )

    def load(self) -> float:
        """Load generator, background, reranker and rewriter. Returns the time in seconds."""
        began = perf_counter()
        self.generator.load()
        if self.reranker is not None:
            self.rerank.registry.get(self.reranker)
        if self.rewriter.fields:
            self.rewriter.registry.get(self.rewriter.fields["rewrite"]["model"])
        return perf_counter() - began


def add_asking(parser: argparse.ArgumentParser) -> None:
    """Add the collection and the options of the generator, of citations and of the search."""
    add_collection(parser)
    group = parser.add_argument_group("answers")
    add_generator(group)
    add_background(group)
    add_context(group)
    group.add_argument(
        "--temperature",
        type=float,
        metavar="X",
        help="randomness of the text; 0 is always the most likely token (default: 0)",
    )
    group.add_argument("--seed", type=int, metavar="N", help="seed of the randomness (default: 0)")
    group.add_argument(
        "--timeout-ms",
        type=float,
        metavar="MS",
        help="time limit of the generator in milliseconds; the answer then ends (default: no "
        "limit)",
    )
    group.add_argument(
        "--no-abstain",
        action="store_true",
        help="answer even if the generator's rule of abstention would not",
    )
    group.add_argument(
        "--unsupported",
        choices=get_args(CitationOptions.model_fields["unsupported"].annotation),
        help="citations whose source does not support the statement: mark or drop them (default: "
        "mark)",
    )
    group.add_argument(
        "--min-support",
        type=float,
        metavar="X",
        help="share of a statement's content words that its source must have (default: 0.5)",
    )
    group.add_argument(
        "--match",
        action="store_true",
        help="also cite sentences without a marker if a source has nearly all of their words",
    )
    add_selection(parser)
    parser.add_argument(
        "--limit", type=int, default=10, metavar="N", help="number of hits to read (default: 10)"
    )
    add_rerank(parser)
    add_understanding(parser)
    add_rewriter(parser)
    parser.add_argument(
        "--explain",
        action="store_true",
        help="show what the generator read, what was left out and why, and what the search did",
    )
    add_models(parser)


def asked_options(arguments: argparse.Namespace) -> AskedOptions:
    """Return what the options mean.

    Raises InvalidInputError for options that contradict each other, and for an unknown generator,
    background, reranker or rewriter.
    """
    generator = generator_choice(arguments)
    rerank, rewriter = rerank_choice(arguments), rewriter_choice(arguments)
    request = next(iter(rerank.requests.values()), None)
    citations = {name: value for name, value in given(arguments, _CITATIONS).items() if value}
    if arguments.min_support is not None:
        citations["min_support"] = arguments.min_support
    fields = {
        **answer_fields(arguments),
        **given(arguments, _WRITING),
        **generator.fields,
        "abstain": not arguments.no_abstain,
        **({"citations": citations} if citations else {}),
        **rewriter.fields,
    }
    search = {
        **selection_fields(arguments),
        **understanding_fields(arguments),
        "limit": arguments.limit,
        "rerank": request,
    }
    fields |= search_fields(fields, search, limit=10, suggest=True)
    name = None if request is None else request.model
    return AskedOptions(fields, generator, name, rerank, rewriter)


@contextmanager
def errors_name_answer_options(arguments: argparse.Namespace) -> Iterator[None]:
    """Return a context manager. In its block, errors name options instead of fields."""
    nested = {f"context.{field}": name for field, name in CONTEXT.items()}
    nested |= {f"citations.{name}": name for name in _CITATIONS}
    try:
        yield
    except SourceError:
        raise
    except InvalidInputError as error:
        field = (error.field or "").removeprefix("search.")
        name = nested.get(field, field)
        if name in ("collection", "question") or name not in vars(arguments):
            raise
        raise type(error)(error.message, field=option(name)) from None
