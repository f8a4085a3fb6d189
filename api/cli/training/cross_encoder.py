"""Train a cross-encoder, which reads a query and a passage together and returns one score.

Training starts from another model, with a new output layer (head). The model learns to separate the
documents that answer a query from others that BM25 ranks high. Some queries are held out, that is,
not used for training. Training keeps the weights that best rerank BM25's results for these queries.
OUT is a folder of a sentence-transformers CrossEncoder. Its training.json contains all options and
measurements. If training is interrupted, run the same command again to continue.
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
    "layers": "keep only the lowest N layers of the model; fewer are faster (default: all)",
    "loss": "softmax: one loss over a positive and its negatives; binary: a loss for each pair",
    "synthetic": "maximum number of queries generated from the text of documents",
    "writer": "language model that writes queries for documents; requires --written",
    "written": "maximum number of queries that the language model of --writer writes",
    "epochs": "number of passes over the training queries",
    "minutes": "time limit in minutes, at which the learning rate reaches 0 (default: no limit)",
    "negatives": "number of negative documents for each positive",
    "depth": "number of BM25 results that negatives are sampled from",
    "batch": "number of queries in a training step",
    "lr": "highest learning rate",
    "head_lr": "learning rate of the head, as a multiple of --lr",
    "max_length": "maximum number of tokens of a query and a passage together",
    "held_out": "maximum number of held-out queries; never more than a fifth of the judged queries",
    "rerank": "number of BM25 results to rerank for each held-out query",
    "validations": "number of times that the held-out queries are reranked",
    "precision": "number format; auto is bfloat16 if the device supports it, else float32",
    "device": "device that the training runs on; auto is CUDA if available",
    "seed": "random seed",
}
"""Field of CrossEncoderTraining -> help of its option."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    qrels = "relevance judgements; do not evaluate with the same judgements"
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
