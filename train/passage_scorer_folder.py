"""From documents, queries and a costly reranker to the folder of a passage scorer."""

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
from .passage_scorer import Epoch, label, train_passage_scorer
from .window_weights import window_weights


@dataclass(frozen=True, slots=True)
class TrainedScorer:
    """What a training did.

    documents, windows: that the costly model read, of all queries together.
    history: the first is before training.
    weights: of the best windows; None without judgements.
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
    """Train and write the folder `output`, which must not exist; it appears when it is complete.

    qrels: where given, the weights of the best windows are learned from them. Raises ConflictError
    where `output` exists, InvalidInputError for data that nothing can be learned from, and errors
    of the costly reranker.
    """
    options = options or PassageScorerTraining()
    progress = progress or NoProgress()
    if output.exists():
        raise ConflictError(f"{output} exists already")
    if not documents or not queries:
        raise InvalidInputError("are empty", field="queries" if documents else "documents")
    began = perf_counter()
    known = {document.id: document for document in documents}
    with LexicalSearch(list(known.values())) as lexical:
        found = lexical.search([query.text for query in queries], options.depth)
    pairs = [
        (query, known[name]) for query, names in zip(queries, found, strict=True) for name in names
    ]
    examples = label(slow, pairs, options, progress)
    history: list[Epoch] = []

    def told(number: int, epoch: Epoch) -> None:
        history.append(epoch)
        if number == 0:
            progress.start("train", options.epochs, "epochs")
        else:
            progress.advance()

    scorer = train_passage_scorer(examples, options, told=told)
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
    kept = scorer.options.model_copy(update={"weights": weights, "trained": trained})
    make_folder(output, KernelScorer(scorer.model, scorer.tokenizer, kept).save)
    return TrainedScorer(
        output,
        len(queries),
        len(examples),
        sum(len(one.windows) for one in examples),
        history,
        weights,
        perf_counter() - began,
    )
