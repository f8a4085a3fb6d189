"""Trains a passage scorer from documents, queries and a costly reranker, and writes its folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from ..core import ConflictError, Document, InvalidInputError, NoProgress, Progress, Qrels, Query
from ..llm.weights.cache import make_folder
from ..rerank import Reranker
from ..rerank.intra_document.kernel_scorer import KernelScorer
from .lexical import LexicalSearch
from .options import PassageScorerTraining
from .passage_scorer import Epoch, label_windows, train_passage_scorer
from .window_weights import window_weights


@dataclass(frozen=True, slots=True)
class TrainedScorer:
    """The result of training a passage scorer.

    folder:    folder of the trained scorer.
    queries:   number of queries.
    documents: number of (query, document) pairs that the costly reranker read.
    windows:   number of windows that the costly reranker read, over all pairs.
    history:   figures of each epoch. The first entry has the figures before training.
    weights:   share of each of the best windows in the score of a document. None: there were no
           judgements.
    seconds:   duration of the training.
    """

    folder: Path
    queries: int
    documents: int
    windows: int
    history: Sequence[Epoch]
    weights: Sequence[float] | None
    seconds: float


def make_passage_scorer(
    output: Path,
    documents: Sequence[Document],
    queries: Sequence[Query],
    slow: Reranker,
    options: PassageScorerTraining | None = None,
    *,
    qrels: Qrels | None = None,
    progress: Progress | None = None,
) -> TrainedScorer:
    """Train a passage scorer, and write it to the folder `output`, which must not exist.

    The folder is created at the end, so an interrupted run leaves no folder behind.

    slow:  the costly reranker, which scores the windows.
    qrels: judgements, from which the weights of the best windows in a document's score are learned.
           None: no weights are learned.

    Raises ConflictError if `output` exists, InvalidInputError for data that is insufficient for
    training, and the errors of the costly reranker.
    """
    options = options or PassageScorerTraining()
    progress = progress or NoProgress()
    if output.exists():
        raise ConflictError(f"{output} exists already; name a new folder")
    if not documents or not queries:
        missing = "queries" if documents else "documents"
        raise InvalidInputError("must have at least one item, got none", field=missing)
    began = perf_counter()
    known = {document.id: document for document in documents}
    with LexicalSearch(list(known.values())) as lexical:
        found = lexical.search([query.text for query in queries], options.depth)
    pairs = [
        (query, known[name]) for query, names in zip(queries, found, strict=True) for name in names
    ]
    examples = label_windows(slow, pairs, options, progress)
    history: list[Epoch] = []

    def record(number: int, epoch: Epoch) -> None:
        history.append(epoch)
        if number == 0:
            progress.start("train", options.epochs, "epochs")
        else:
            progress.advance()

    scorer = train_passage_scorer(examples, options, on_epoch=record)
    weights = None
    if qrels is not None:
        grades = {query.text: qrels[query.id] for query in queries if query.id in qrels}
        weights = window_weights(scorer, examples, grades, windows=options.top)
    trained = {
        "options": options.model_dump(mode="json"),
        "slow": slow.kind,
        "history": [
            {"loss": e.loss if i else None, "found": e.found} for i, e in enumerate(history)
        ],
    }
    stored = scorer.options.model_copy(update={"weights": weights, "trained": trained})
    make_folder(output, KernelScorer(scorer.model, scorer.tokenizer, stored).save)
    return TrainedScorer(
        output,
        len(queries),
        len(examples),
        sum(len(one.windows) for one in examples),
        history,
        weights,
        perf_counter() - began,
    )
