"""Add documents to a collection.

A document replaces the stored document with the same id. If the title, text and metadata of the two
are equal, the new document is skipped. Documents that are reported as written are durable.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from dataclasses import asdict

from ...figures import counted
from ..arguments.common import (
    add_collection,
    add_models,
    add_output,
    loader_of,
    progress_of,
    share_cores,
)
from ..arguments.inputs import Inputs, add_inputs
from ..arguments.vectors import add_vectors
from ..terminal import model_usage, print_json, print_skipped

EXAMPLE = "twindex add my-index --documents new.jsonl"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_collection(parser)
    add_inputs(parser)
    add_vectors(parser)
    add_models(parser)
    add_output(parser)


def run(arguments: argparse.Namespace) -> int:
    inputs = Inputs(arguments)
    share_cores()

    from ....search import Collection

    with (
        closing(progress_of(arguments)) as progress,
        Collection.open(arguments.collection, encoders=loader_of(arguments)) as collection,
    ):
        documents = inputs.documents()
        report = collection.add(documents, progress=progress, refused=inputs.refused)
    inputs.report()
    if inputs.skipped and not report.documents and not report.unchanged:
        raise inputs.no_document()
    if arguments.json:
        print_json({**asdict(report), **inputs.json()})
        return 0
    print(
        f"{counted(report.documents, 'document')} written in "
        f"{counted(report.passages, 'passage')}, {report.replaced} of them replaced"
    )
    if report.unchanged:
        print(f"{counted(report.unchanged, 'document')} unchanged")
    if report.usage is not None:
        print(model_usage(report.usage))
    print_skipped(inputs.skipped, report.truncated)
    return 0
