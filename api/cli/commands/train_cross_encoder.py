"""Train a cross-encoder, which reads a query and a passage together and gives one score.

It begins as another model with a new head, and learns to tell documents that answer a query from
others that BM25 ranks high for it. Some of the queries are held out; the weights that rerank BM25
best for these are kept. OUT is a sentence-transformers CrossEncoder folder, with all options and
figures in its training.json. Run the same command again to go on with a training that was stopped.
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
    "init": "model that it begins as",
    "layers": "of its layers, the lowest N; fewer are faster (default: all)",
    "loss": "over a positive and its negatives, or of each pair by itself",
    "synthetic": "queries made from the documents, at most",
    "writer": "language model that writes queries for documents",
    "written": "queries that it writes, at most",
    "epochs": "passes over the training queries",
    "minutes": "stop by then; the learning rate falls with the time",
    "negatives": "documents that do not answer, for each query",
    "depth": "they are of the N best of BM25",
    "batch": "queries in a step",
    "lr": "highest learning rate",
    "head_lr": "times that, for a new head",
    "max_length": "tokens read of a query and a passage together",
    "held_out": "queries that choose the weights, at most a fifth",
    "rerank": "documents reranked for each of these",
    "validations": "times that they are reranked",
    "precision": "auto is bfloat16 where the device has it",
    "device": "where the training runs",
    "seed": "of every random choice",
}
"""Fields of CrossEncoderTraining, with their help."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    qrels = "judgements: not those that the model will be measured with"
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
