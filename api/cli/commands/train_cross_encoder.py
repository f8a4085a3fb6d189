"""Train a cross-encoder, which reads a query and a passage together and gives one score.

It begins as another model with a new head, and learns to tell documents that answer a query from
others that BM25 ranks high for it. Some of the queries are held out; the weights that rerank BM25
best for these are kept. OUT is a sentence-transformers CrossEncoder folder, with all options and
figures in its training.json. Run the same command again to go on with a training that was stopped.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from ....core import ConflictError, InvalidInputError, SourceError, TwindexError
from ....core.config import Device
from ...figures import counted
from ..arguments.common import add_download, add_json, add_quiet, allow_download, progress_of
from ..arguments.inputs import Inputs, add_inputs
from ..terminal import note, print_json, table

if TYPE_CHECKING:
    from ....train.cross_encoder import Trained

EXAMPLE = (
    "twindex train cross-encoder my-model --documents corpus.jsonl --queries queries.jsonl "
    "--qrels qrels/train.tsv"
)

OPTIONS: dict[str, tuple[type, str, str]] = {
    "init": (str, "MODEL", "model that it begins as (default: all-MiniLM-L6-v2)"),
    "layers": (int, "N", "of its layers, the lowest N; fewer are faster (default: all)"),
    "synthetic": (int, "N", "queries made from the documents, at most (default: 0)"),
    "writer": (str, "MODEL", "language model that writes queries for documents"),
    "written": (int, "N", "queries that it writes, at most"),
    "epochs": (int, "N", "(default: 2)"),
    "minutes": (float, "M", "stop by then; the learning rate falls with the time"),
    "negatives": (int, "N", "documents that do not answer, for each query (default: 7)"),
    "depth": (int, "N", "they are of the N best of BM25 (default: 100)"),
    "batch": (int, "N", "queries in a step (default: 8)"),
    "lr": (float, "X", "highest learning rate (default: 5e-5)"),
    "head_lr": (float, "X", "times that, for a new head (default: 10)"),
    "max_length": (int, "N", "tokens read of a query and a passage together (default: 256)"),
    "held_out": (int, "N", "queries that choose the weights (default: 80, at most a fifth)"),
    "rerank": (int, "N", "documents reranked for each of these (default: 50)"),
    "validations": (int, "N", "times that they are reranked (default: 4)"),
    "seed": (int, "N", "(default: 0)"),
}
"""Fields of CrossEncoderTraining that are given as they are: type, name of the value, help."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("output", metavar="OUT", type=Path, help="folder to be written")
    add_inputs(parser)
    data = parser.add_argument_group("judged queries")
    data.add_argument(
        "--queries",
        type=Path,
        required=True,
        metavar="FILE",
        help="BEIR's queries.jsonl or id<TAB>text",
    )
    data.add_argument(
        "--qrels",
        type=Path,
        required=True,
        metavar="FILE",
        help="judgements: not those that the model will be measured with",
    )
    how = parser.add_argument_group("how")
    for name, (kind, value, text) in OPTIONS.items():
        how.add_argument(_flag(name), type=kind, metavar=value, help=text)
    how.add_argument(
        "--loss",
        choices=["softmax", "binary"],
        help="over a positive and its negatives, or of each pair by itself (default: softmax)",
    )
    how.add_argument(
        "--precision",
        choices=["auto", "float32", "bfloat16"],
        help="(default: auto, bfloat16 where the device has it)",
    )
    how.add_argument("--device", choices=get_args(Device), help="(default: auto)")
    add_download(parser)
    add_quiet(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.output.exists():
        raise ConflictError(f"OUT: {arguments.output} exists already; give the name of a new one")
    from ....sources import read_qrels, read_queries
    from ....train.cross_encoder import train_cross_encoder
    from ....train.options import CrossEncoderTraining

    given = {name: getattr(arguments, name) for name in (*OPTIONS, "loss", "precision", "device")}
    try:
        options = CrossEncoderTraining.parse({k: v for k, v in given.items() if v is not None})
        queries, qrels = read_queries(arguments.queries), read_qrels(arguments.qrels)
        inputs = Inputs(arguments)
        documents = list(inputs.documents())
        inputs.report()
        allow_download(arguments)
        progress = progress_of(arguments)
        try:
            trained = train_cross_encoder(
                arguments.output, documents, queries, qrels, options, progress=progress
            )
        finally:
            progress.close()
    except TwindexError as error:
        raise _named(error) from None
    if arguments.json:
        from ....train.cross_encoder import as_json

        print_json(as_json(trained))
    else:
        _print(trained)
    return 0


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _named(error: TwindexError) -> TwindexError:
    """The same error, about the option instead of the library's argument."""
    names = {*OPTIONS, "loss", "precision", "device", "documents", "queries", "qrels"}
    if isinstance(error, InvalidInputError) and not isinstance(error, SourceError):
        field = "init" if error.field == "model" else error.field
        if field in names:
            return type(error)(error.message, field=_flag(field))
    return error


def _print(trained: Trained) -> None:
    made = ", ".join(f"{number} {origin}" for origin, number in trained.queries.items())
    note(
        f"{counted(trained.steps, 'step')}, {trained.pairs:,} pairs in {trained.seconds:.0f} s "
        f"on {trained.device} in {trained.precision}; queries: {made}"
    )
    if trained.truncated:
        note(f"{trained.truncated:,} of the pairs are longer than --max-length; the rest was cut")
    if trained.skipped:
        note(f"twindex: warning: {counted(trained.skipped, 'time')} a query left no room for text")
    header = ["step", "loss", "nDCG@10"]
    rows: list[list[Any]] = [["BM25", "", f"{trained.first_stage:.4f}"]]
    rows += [
        [f"{entry['step']:.0f}", f"{entry['loss']:.4f}", f"{entry['nDCG@10']:.4f}"]
        for entry in trained.history
    ]
    print(table(header, rows))
    print(f"written: {trained.folder}, {trained.best:.4f} on {trained.held_out} held-out queries")
    if trained.best <= trained.first_stage:
        note("twindex: warning: on these it is no better than BM25; train longer, or on more")
