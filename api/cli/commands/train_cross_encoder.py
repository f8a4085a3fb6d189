"""Train a cross-encoder, which reads a query and a passage together and returns one score.

Training starts from another model, with a new head. The model learns to separate the documents that
answer a query from others that BM25 ranks high. Some queries are held out: training keeps the
weights that rerank the results of BM25 best for them. OUT is a sentence-transformers CrossEncoder
folder, with all options and figures in its training.json. Run the same command again to continue an
interrupted training.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from typing import TYPE_CHECKING, Any

from ....sources import read_qrels, read_queries
from ....train.options import CrossEncoderTraining
from ...figures import counted
from ..arguments.common import given, progress_of
from ..arguments.training import add_training, documents_of, writing
from ..terminal import note, print_json, table

if TYPE_CHECKING:
    from ....train.cross_encoder import Trained

EXAMPLE = (
    "twindex train cross-encoder my-model --documents corpus.jsonl --queries queries.jsonl "
    "--qrels qrels/train.tsv"
)

OPTIONS = {
    "init": "model to start from",
    "layers": "keep the lowest N layers of it; fewer are faster (default: all)",
    "loss": "softmax: over a positive and its negatives; binary: for each pair",
    "synthetic": "maximum number of queries made from the documents",
    "writer": "language model that writes queries for documents",
    "written": "maximum number of queries that the writer writes",
    "epochs": "passes over the training queries",
    "minutes": "time limit in minutes; the learning rate falls with the time",
    "negatives": "negative documents for each query",
    "depth": "negatives come from the N best of BM25",
    "batch": "queries in a training step",
    "lr": "highest learning rate",
    "head_lr": "factor on the learning rate, for a new head",
    "max_length": "maximum number of tokens of a query and a passage together",
    "held_out": "queries held out to choose the weights, at most a fifth",
    "rerank": "documents to rerank for each held-out query",
    "validations": "how often the held-out queries are reranked",
    "precision": "auto is bfloat16 if the device supports it",
    "device": "where the training runs",
    "seed": "random seed",
}
"""Field of CrossEncoderTraining -> help of its option."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    qrels = "judgements; do not use those of the evaluation"
    add_training(parser, CrossEncoderTraining, OPTIONS, qrels, judged=True)


def run(arguments: argparse.Namespace) -> int:
    with writing(arguments, model="--init"):
        from ....train.cross_encoder import as_json, train_cross_encoder

        options = CrossEncoderTraining.parse(given(arguments, OPTIONS))
        queries, qrels = read_queries(arguments.queries), read_qrels(arguments.qrels)
        documents = documents_of(arguments)
        with closing(progress_of(arguments)) as progress:
            trained = train_cross_encoder(
                arguments.output, documents, queries, qrels, options, progress=progress
            )
    if arguments.json:
        print_json(as_json(trained))
    else:
        _print(trained)
    return 0


def _print(trained: Trained) -> None:
    made = ", ".join(f"{number} {origin}" for origin, number in trained.queries.items())
    note(
        f"{counted(trained.steps, 'step')}, {trained.pairs:,} pairs in {trained.seconds:.0f} s "
        f"on {trained.device} in {trained.precision}; queries: {made}"
    )
    if trained.truncated:
        note(f"{trained.truncated:,} of the pairs exceeded --max-length and were truncated")
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
        note("twindex: warning: it is no better than BM25; train longer, or with more queries")
