"""Train a passage scorer, which picks the windows of a long document that a slow reranker reads.

The slow reranker scores every window of some documents. This takes most of the time. The passage
scorer learns to find the windows with the best scores. Judgements are optional: with them, training
also learns how much each of the best windows counts in a document's score. To use the scorer,
configure a reranker of the kind "intra_document": `fast` is OUT, and `slow` is the slow reranker.
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
    "model": "name or folder of the model whose word-piece embeddings the scorer uses",
    "depth": "number of BM25 results for each query that the slow reranker scores",
    "top": "number of best windows of a document that the scorer should find",
    "windows": "number of a document's windows in a training step",
    "dimensions": "number of dimensions of the scorer's vectors",
    "size": "number of words in a window",
    "overlap": "number of additional words on each side of a window",
    "epochs": "number of passes over the training documents",
    "batch": "number of documents in a training step",
    "learning_rate": "learning rate of the optimizer",
    "held_out": "share of the queries that are not trained on, but choose the best epoch",
    "seed": "random seed",
}
"""Field of PassageScorerTraining -> help of its option."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    qrels = "relevance judgements; if given, queries without judgements are skipped"
    how = add_training(parser, PassageScorerTraining, OPTIONS, qrels, judged=False)
    how.add_argument(
        "--slow",
        required=True,
        metavar="SPEC",
        help="the slow reranker, e.g. cross-encoder:./my-model",
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
    """Return the configuration of the slow reranker from a spec such as cross-encoder:FOLDER.

    Raises InvalidInputError for a kind that `slow` of an intra_document reranker does not accept.
    """
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
