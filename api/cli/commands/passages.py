"""Show how documents are cut into passages.

Nothing is encoded or stored. The options of the configuration are those of `twindex build`.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict

from ....core.display import one_line
from ...figures import counted
from ..arguments.common import add_models, add_output, loader_of
from ..arguments.configuration import add_configuration, configuration
from ..arguments.inputs import Inputs, add_inputs, named_inputs
from ..terminal import print_json

EXAMPLE = "twindex passages notes/ --passage-structure"

SHOWN = 100
"""Maximum number of characters of a passage that are printed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_inputs(parser, positional=True)
    add_configuration(parser)
    add_models(parser)
    add_output(parser)


def run(arguments: argparse.Namespace) -> int:
    config = configuration(arguments)
    inputs = Inputs(named_inputs(arguments))

    from ....search import preview_passages

    for document, passages in preview_passages(
        inputs.documents(), config, encoders=loader_of(arguments)
    ):
        if arguments.json:
            print_json({"id": document.id, "passages": [asdict(one) for one in passages]})
            continue
        title = f"  {one_line(document.title, SHOWN)}" if document.title else ""
        print(f"{document.id}{title}: {counted(len(passages), 'passage')}")
        for number, passage in enumerate(passages, 1):
            tokens = "" if passage.tokens is None else f", {counted(passage.tokens, 'token')}"
            place = [] if passage.page is None else [f"page {passage.page}"]
            place += [one_line(" > ".join(passage.headings), SHOWN)] if passage.headings else []
            shown = f"  ({', '.join(place)})" if place else ""
            print(f"{number:>4}. [{passage.start}-{passage.end}]{tokens}{shown}")
            text = document.text[passage.start : passage.end]
            print(f"      {one_line(text, SHOWN)}")
    inputs.report()
    return 0
