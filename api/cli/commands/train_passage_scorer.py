"""Train a passage scorer, which picks the windows of a long document that a costly reranker reads.

The costly reranker scores every window of some documents, which is most of the work; the passage
scorer learns to find its best ones. No judgements are needed: with them, how much each of the best
windows counts in a document's score is learned too. OUT is named as `fast` of a reranker of kind
"intra_document", whose `slow` is the costly one.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ....core import ConfigError, ConflictError, InvalidInputError, SourceError, TwindexError
from ...figures import counted
from ..arguments.common import add_download, add_json, add_quiet, allow_download, progress_of
from ..arguments.inputs import Inputs, add_inputs
from ..terminal import note, print_json, table

if TYPE_CHECKING:
    from ....rerank import RerankerConfig
    from ....train.passage_scorer_folder import TrainedScorer

EXAMPLE = (
    "twindex train passage-scorer my-scorer --documents corpus.jsonl --queries queries.jsonl "
    "--slow cross-encoder:./my-model"
)

OPTIONS: dict[str, tuple[type, str, str]] = {
    "model": (
        str,
        "MODEL",
        "whose word pieces it reads: a name or a folder (default: all-MiniLM-L6-v2)",
    ),
    "depth": (int, "N", "documents labelled for each query, the best of BM25 (default: 4)"),
    "top": (int, "N", "windows of a document to be found (default: 4)"),
    "windows": (int, "N", "of a document in one step of training (default: 64)"),
    "dimensions": (int, "N", "of its vectors (default: 128)"),
    "size": (int, "N", "words in a window (default: 50)"),
    "overlap": (int, "N", "more on each side (default: 7)"),
    "epochs": (int, "N", "(default: 3)"),
    "batch": (int, "N", "documents in a step (default: 8)"),
    "learning_rate": (float, "X", "(default: 0.001)"),
    "held_out": (float, "X", "share of queries that choose the epoch (default: 0.1)"),
    "seed": (int, "N", "(default: 0)"),
}
"""Fields of PassageScorerTraining: type, name of the value, help."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("output", metavar="OUT", type=Path, help="folder to be written")
    add_inputs(parser)
    data = parser.add_argument_group("queries")
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
        metavar="FILE",
        help="judgements; only queries that have some are then used",
    )
    how = parser.add_argument_group("how")
    how.add_argument(
        "--slow",
        required=True,
        metavar="SPEC",
        help="the costly reranker, e.g. cross-encoder:./my-model",
    )
    for name, (kind, value, text) in OPTIONS.items():
        how.add_argument(f"--{name.replace('_', '-')}", type=kind, metavar=value, help=text)
    add_download(parser)
    add_quiet(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.output.exists():
        raise ConflictError(f"OUT: {arguments.output} exists already; give the name of a new one")
    from ....rerank import load_reranker
    from ....sources import read_qrels, read_queries
    from ....train.passage_scorer import PassageScorerTraining
    from ....train.passage_scorer_folder import make_passage_scorer

    slow = _slow(arguments.slow)
    given = {name: getattr(arguments, name) for name in OPTIONS}
    try:
        options = PassageScorerTraining.parse({k: v for k, v in given.items() if v is not None})
        queries = read_queries(arguments.queries)
        qrels = None
        if arguments.qrels is not None:
            qrels = read_qrels(arguments.qrels)
            queries = [query for query in queries if query.id in qrels]
        inputs = Inputs(arguments)
        documents = list(inputs.documents())
        inputs.report()
        allow_download(arguments)
        progress = progress_of(arguments)
        try:
            trained = make_passage_scorer(
                arguments.output,
                documents,
                queries,
                load_reranker(slow),
                options,
                qrels=qrels,
                progress=progress,
            )
        finally:
            progress.close()
    except TwindexError as error:
        raise _named(error) from None
    if arguments.json:
        print_json(
            {
                "folder": str(trained.folder),
                "queries": trained.queries,
                "documents": trained.documents,
                "windows": trained.windows,
                "found": [epoch.found for epoch in trained.history],
                "weights": trained.weights,
                "seconds": trained.seconds,
            }
        )
    else:
        _print(trained, options.top)
    return 0


def _slow(spec: str) -> RerankerConfig:
    """The costly reranker, which must be of a kind that the cascade takes."""
    from ....rerank import IntraDocumentConfig, parse_spec

    try:
        config = parse_spec(spec)
        return IntraDocumentConfig.parse({"slow": config.model_dump()}).slow
    except ConfigError as error:
        raise InvalidInputError(error.message, field="--slow") from None


def _named(error: TwindexError) -> TwindexError:
    """The same error, about the option instead of the library's argument."""
    if isinstance(error, InvalidInputError) and not isinstance(error, SourceError):
        name = error.field
        if name in {*OPTIONS, "documents", "queries", "qrels", "slow"}:
            return type(error)(error.message, field=f"--{name.replace('_', '-')}")
    return error


def _print(trained: TrainedScorer, top: int) -> None:
    note(
        f"{counted(trained.windows, 'window')} of {counted(trained.documents, 'document')} for "
        f"{counted(trained.queries, 'query', 'queries')}; {trained.seconds:.0f} s"
    )
    rows = [
        [
            str(number) if number else "before",
            f"{epoch.loss:.4f}" if number else "",
            "" if epoch.found is None else f"{epoch.found:.4f}",
        ]
        for number, epoch in enumerate(trained.history)
    ]
    print(table(["epoch", "loss", f"of the best {top} found"], rows))
    if trained.weights is not None:
        shown = ", ".join(f"{weight:.3f}" for weight in trained.weights)
        print(f"weights of the best windows: {shown}")
    print(f"written: {trained.folder}")
