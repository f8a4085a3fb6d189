"""Answer a question from the documents of a collection.

The answer is printed while it is written, with markers such as [1]. The cited sources follow, with
the quotes that support the answer. "no answer" is printed if the documents do not contain one; the
exit status is 0 then too. --json prints the answer as the REST interface returns it. --events
prints the events of the answer while they happen, each as a line of JSON.

Without --generator and --generators, the answer consists of sentences of the documents, and no
language model runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from ...arguments.asking import add_asking, asked_options, errors_name_answer_options
from ...arguments.common import add_json
from ...failing import models_run
from ...reports.written_answer import print_answer
from ...terminal import print_json

if TYPE_CHECKING:
    from .....core.answers import AnswerEvent

EXAMPLE = 'twindex ask my-index "Which birds cannot fly?" --generators generators.toml --explain'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_asking(parser)
    parser.add_argument("question", metavar="QUESTION", help="question to answer")
    output = parser.add_mutually_exclusive_group()
    add_json(output)
    output.add_argument(
        "--events",
        action="store_true",
        help="print the events of the answer while it is written, each as a line of JSON",
    )


def run(arguments: argparse.Namespace) -> int:
    from .....search import AnswerRequest

    with errors_name_answer_options(arguments):
        asked = asked_options(arguments)
        request = AnswerRequest.parse({**asked.fields, "question": arguments.question})
        with asked.open(arguments) as collection:
            loading = asked.load()
            with models_run():
                if arguments.json:
                    from ....http.render import answer

                    print_json(answer(collection.answer(request)))
                elif arguments.events:
                    _print_events(collection.answer_stream(request))
                else:
                    print_answer(
                        collection.answer_stream(request),
                        reranker=asked.reranker,
                        explain=arguments.explain,
                        loading=loading,
                    )
    return 0


def _print_events(events: Iterator[AnswerEvent]) -> None:
    """Print each event as a line of JSON: `{"event": ..., "data": ...}`, as in the REST stream."""
    import orjson

    from .....core.answers import DoneEvent
    from ....http.render import answer, answer_event

    with closing(events) as opened:  # type: ignore[type-var]
        for event in opened:
            data = answer(event.answer) if isinstance(event, DoneEvent) else answer_event(event)
            line = orjson.dumps({"event": event.event, "data": data}).decode()
            print(line, flush=True)
