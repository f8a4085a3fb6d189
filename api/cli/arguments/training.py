"""Arguments that all subcommands of `twindex train` share, and functions that read them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from ....core import Config, ConflictError, Document
from ...serving.settings import option
from .common import add_download, add_output, allow_download, errors_name_options
from .inputs import Inputs, add_inputs

VALUES = {int: "N", float: "X", str: "MODEL"}
"""Type of an option -> placeholder of its value in the help."""


def add_training(
    parser: argparse.ArgumentParser,
    config: type[Config],
    options: Mapping[str, str],
    qrels: str,
    *,
    judged: bool,
) -> argparse._ArgumentGroup:
    """Add the arguments of a subcommand of `twindex train`. Return the group of training options.

    config:  options of the training, with their types and defaults.
    options: field of `config` -> help of its option; the default is added to the help.
    qrels:   help of `--qrels`.
    judged:  True: `--qrels` is required.
    """
    parser.add_argument("output", metavar="OUT", type=Path, help="folder to write")
    add_inputs(parser)
    data = parser.add_argument_group("judged queries" if judged else "queries")
    data.add_argument(
        "--queries",
        type=Path,
        required=True,
        metavar="FILE",
        help="BEIR's queries.jsonl or id<TAB>text",
    )
    data.add_argument("--qrels", type=Path, required=judged, metavar="FILE", help=qrels)
    how = parser.add_argument_group("training")
    for name, text in options.items():
        field = config.model_fields[name]
        text += "" if field.default is None else f" (default: {field.default})"
        value = next(value for value in _values(field.annotation) if value is not type(None))
        if isinstance(value, type):
            how.add_argument(option(name), type=value, metavar=VALUES[value], help=text.strip())
        else:
            how.add_argument(option(name), choices=get_args(field.annotation), help=text.strip())
    add_download(parser)
    add_output(parser)
    return how


def documents_of(arguments: argparse.Namespace) -> list[Document]:
    """Return all documents. Reports what was skipped.

    If `--allow-download` is given, models that are loaded later may be downloaded.
    """
    inputs = Inputs(arguments)
    documents = list(inputs.documents())
    inputs.report()
    allow_download(arguments)
    return documents


@contextmanager
def writing(arguments: argparse.Namespace, **renamed: str) -> Iterator[None]:
    """Return a context manager for training. Errors in its block name options.

    Raises ConflictError if the output folder exists.
    """
    if arguments.output.exists():
        message = f"OUT: {arguments.output} exists already; name a new folder"
        raise ConflictError(message)
    with errors_name_options(arguments, **renamed):
        yield


def _values(annotation: Any) -> Iterator[Any]:
    """Yield the types that an annotation allows, or the values of a Literal."""
    inner = get_args(annotation)
    if not inner:
        yield annotation
    for one in inner[:1] if get_origin(annotation) is Annotated else inner:
        yield from _values(one)
