"""Train a passage scorer, which picks the windows of a long document that a costly reranker reads.

The costly reranker scores every window of some documents, which is most of the work; the passage
scorer learns to find its best ones. No judgements are needed: with them, how much each of the best
windows counts in a document's score is learned too. OUT is named as `fast` of a reranker of kind
"intra_document", whose `slow` is the costly one.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from typing import TYPE_CHECKING

from ....core import ConfigError, InvalidInputError
from ....rerank import IntraDocumentConfig, RerankerConfig, load_reranker, parse_spec
from ....sources import read_qrels, read_queries
from ....train.options import PassageScorerTraining
from ...figures import counted
from ..arguments.common import given, progress_of
from ..arguments.training import add_training, documents_of, writing
from ..terminal import note, print_json, table

if TYPE_CHECKING:
    from ....train.passage_scorer_folder import TrainedScorer

EXAMPLE = (
    "twindex train passage-scorer my-scorer --documents corpus.jsonl --queries queries.jsonl "
    "--slow cross-encoder:./my-model"
)

OPTIONS = {
    "model": "whose word pieces it reads: a name or a folder",
    "depth": "documents labelled for each query, the best of BM25",
    "top": "windows of a document to be found",
    "windows": "of a document in one step of training",
    "dimensions": "of its vectors",
    "size": "words in a window",
    "overlap": "more on each side",
    "epochs": "passes over the training documents",
    "batch": "documents in a step",
    "learning_rate": "of the optimizer",
    "held_out": "share of queries that choose the epoch",
    "seed": "of every random choice",
}
"""Fields of PassageScorerTraining, with their help."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    qrels = "judgements; only queries that have some are then used"
    how = add_training(parser, PassageScorerTraining, OPTIONS, qrels, judged=False)
    how.add_argument(
        "--slow",
        required=True,
        metavar="SPEC",
        help="the costly reranker, e.g. cross-encoder:./my-model",
    )


def run(arguments: argparse.Namespace) -> int:
    with writing(arguments):
        from ....train.passage_scorer_folder import make_passage_scorer

        slow = _slow(arguments.slow)
        options = PassageScorerTraining.parse(given(arguments, OPTIONS))
        queries = read_queries(arguments.queries)
        qrels = None if arguments.qrels is None else read_qrels(arguments.qrels)
        if qrels is not None:
            queries = [query for query in queries if query.id in qrels]
        documents = documents_of(arguments)
        with closing(progress_of(arguments)) as progress:
            trained = make_passage_scorer(
                arguments.output,
                documents,
                queries,
                load_reranker(slow),
                options,
                qrels=qrels,
                progress=progress,
            )
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
    try:
        config = parse_spec(spec)
        return IntraDocumentConfig.parse({"slow": config.model_dump()}).slow
    except ConfigError as error:
        raise InvalidInputError(error.message, field="--slow") from None


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
