"""Trains the passage scorer of the intra-document cascade, with a costly reranker as teacher.

In this cascade, a fast passage scorer selects a few windows (short parts) of each document, and the
costly reranker reads only these windows.

The training is step 3 of IDCM (Hofstätter et al., 2021). The costly reranker is not trained; it
scores every window of some documents. In each document, the n windows with the best scores get the
gains n, n - 1, ..., 1, and all other windows get 0. The scorer learns to rank the windows by these
gains with LambdaLoss (`lambda_loss`).

Judgements are not required. With judgements, `window_weights` learns how much each of the best
windows counts in a document's score.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer

from ..ask.memory import digest
from ..core import Document, InvalidInputError, ModelError, NoProgress, Passage, Progress, Query
from ..llm import find_weights
from ..rerank import Candidate, Reranker, Task
from ..rerank.intra_document.kernel_model import KernelModel
from ..rerank.intra_document.kernel_scorer import KernelScorer, ScorerOptions
from ..rerank.intra_document.reranker import window_score
from ..rerank.intra_document.windows import cut
from .lambda_loss import ndcg_loss2
from .options import PassageScorerTraining

EMBEDDINGS = ("embeddings.word_embeddings.weight", "tok_embeddings.weight", "embed_tokens.weight")
"""Possible endings of the name of the tensor with a model's word-piece embeddings."""


@dataclass(frozen=True, slots=True)
class Example:
    """A training example: a query, and the windows of one document with their target scores.

    query:    text of the query.
    document: id of the document.
    windows:  texts of the windows.
    costly:   the costly reranker's score of each window: float32 [windows].
    """

    query: str
    document: str
    windows: Sequence[str]
    costly: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Epoch:
    """The figures of one epoch of a passage scorer's training.

    loss:  mean loss of the steps.
    found: the result of `top_window_recall` for the held-out queries; None if there are none.
    """

    loss: float
    found: float | None


def label_windows(
    slow: Reranker,
    pairs: Sequence[tuple[Query, Document]],
    options: PassageScorerTraining,
    progress: Progress | None = None,
) -> list[Example]:
    """Return a training example for each pair: the costly reranker's score of every window.

    slow:  the costly reranker.
    pairs: queries and documents.

    If the reranker fails, raises its error. Raises InvalidInputError if the reranker returns no
    scores.
    """
    progress = progress or NoProgress()
    progress.start("label", len(pairs), "documents")
    examples = []
    for query, document in pairs:
        text = document.text
        windows = [text[w.start : w.end] for w in cut(text, options.size, options.overlap)]
        candidates = [Candidate(str(i), one, document.title) for i, one in enumerate(windows)]
        (reranked,) = slow.rerank([Task(query.text, candidates)])
        if reranked.error is not None:
            raise reranked.error
        scores = np.empty(len(windows), np.float32)
        for placed in reranked.order:
            score = window_score(placed)
            if score is None:
                raise InvalidInputError(
                    f"reranker {slow.kind!r} returns no scores; use a reranker that returns scores",
                    field="slow",
                )
            scores[placed.index] = score
        examples.append(Example(query.text, document.id, windows, scores))
        progress.advance()
    return examples


def new_scorer(options: PassageScorerTraining) -> KernelScorer:
    """Return an untrained passage scorer.

    Raises ModelError if the model in the options has no word-piece embeddings.
    """
    folder = find_weights(options.model)
    return KernelScorer(
        KernelModel(_embeddings(folder), options.dimensions, seed=options.seed),
        Tokenizer.from_file(str(folder / "tokenizer.json")),
        ScorerOptions(dimensions=options.dimensions, size=options.size, overlap=options.overlap),
    )


def train_passage_scorer(
    examples: Sequence[Example],
    options: PassageScorerTraining | None = None,
    *,
    on_epoch: Callable[[int, Epoch], None] = lambda number, epoch: None,
) -> KernelScorer:
    """Return a passage scorer trained on the examples.

    Equal examples, options and numbers of threads give equal weights.

    on_epoch: function called with the number and the figures of each epoch. Number 0 stands for the
              figures before training.

    Raises InvalidInputError if no document has more windows than the option `top`.
    """
    options = options or PassageScorerTraining()
    useful = [one for one in examples if len(one.windows) > options.top]
    if not useful:
        raise InvalidInputError(
            f"no document has more than {options.top} windows (`top`); use longer documents, or "
            "decrease `top` or `size`"
        )
    random = np.random.default_rng(options.seed)
    queries = sorted({one.query for one in useful})
    random.shuffle(queries)
    held = set(queries[: int(len(queries) * options.held_out)])
    train = [one for one in useful if one.query not in held]
    check = [one for one in useful if one.query in held]
    scorer = new_scorer(options)
    model = scorer.model
    texts = sorted({text for one in train for text in (one.query, *one.windows)})
    ids = dict(zip(texts, scorer.tokenize(texts), strict=True))
    optimizer = torch.optim.Adam(
        (p for p in model.parameters() if p.requires_grad), lr=options.learning_rate
    )
    best: tuple[float, dict[str, torch.Tensor]] | None = None
    on_epoch(0, Epoch(float("nan"), top_window_recall(scorer, check, options.top)))
    for number in range(1, options.epochs + 1):
        model.train()
        losses = []
        order = random.permutation(len(train))
        for start in range(0, len(order), options.batch):
            batch = [train[i] for i in order[start : start + options.batch]]
            optimizer.zero_grad()
            total = 0.0
            for one in batch:
                loss = _loss(model, one, ids, options, random) / len(batch)
                loss.backward()  # type: ignore[no-untyped-call]
                total += float(loss.detach())
            optimizer.step()
            losses.append(total)
        model.eval()
        scorer = KernelScorer(model, scorer.tokenizer, scorer.options)
        recall = top_window_recall(scorer, check, options.top)
        on_epoch(number, Epoch(float(np.mean(losses)), recall))
        if recall is not None and (best is None or recall > best[0]):
            best = recall, {name: value.clone() for name, value in model.state_dict().items()}
    if best is not None:
        model.load_state_dict(best[1])
    return KernelScorer(model, scorer.tokenizer, scorer.options)


def top_window_recall(scorer: KernelScorer, examples: Sequence[Example], top: int) -> float | None:
    """Return the share of the costly reranker's best windows that are also the scorer's best ones.

    The share is averaged over the examples. Returns None if there are no examples.

    top: number of windows of each example that count as best, for the reranker and the scorer.
    """
    shares = []
    for one, order in zip(examples, rank_windows(scorer, examples), strict=True):
        best = set(np.argsort(-one.costly, kind="stable")[:top].tolist())
        shares.append(len(best & set(order[:top].tolist())) / len(best))
    return float(np.mean(shares)) if shares else None


def rank_windows(scorer: KernelScorer, examples: Sequence[Example]) -> list[NDArray[np.int64]]:
    """Return the positions of each example's windows in the order of the scorer, best first."""
    orders: dict[int, NDArray[np.int64]] = {}
    documents: dict[bytes, list[int]] = {}
    for number, one in enumerate(examples):
        documents.setdefault(digest("\0".join(one.windows)), []).append(number)
    for numbers in documents.values():
        text, spans = _joined(examples[numbers[0]].windows)
        form = scorer.prepare(text, spans)
        for number in numbers:
            (scores,) = scorer.scores(examples[number].query, [form])
            orders[number] = np.argsort(-scores, kind="stable")
    return [orders[number] for number in range(len(examples))]


def _loss(
    model: KernelModel,
    one: Example,
    ids: dict[str, list[int]],
    options: PassageScorerTraining,
    random: np.random.Generator,
) -> torch.Tensor:
    """Return the loss of one example, over its `top` best windows and a sample of the others.

    ids: text of a query or window -> token ids of the text.
    """
    order = np.argsort(-one.costly, kind="stable")
    chosen, others = order[: options.top], order[options.top :]
    if options.windows is not None and len(order) > options.windows:
        others = random.choice(others, max(1, options.windows - options.top), replace=False)
    seen = np.concatenate([chosen, others])
    gains = torch.zeros(len(seen))
    gains[: len(chosen)] = torch.arange(len(chosen), 0, -1).float()
    # Ties are ranked in list order. Without shuffling, this order would reveal the gains.
    shuffle = random.permutation(len(seen))
    windows = [ids[one.windows[i]] for i in seen[shuffle]]
    lengths = torch.tensor([len(window) for window in windows])
    vectors = model.vectors([ids[one.query], *windows])
    query = len(ids[one.query])
    scores = model.scores(vectors[:query], vectors[query:], lengths)
    return ndcg_loss2(scores, gains[torch.from_numpy(shuffle)])


def _joined(windows: Sequence[str]) -> tuple[str, list[Passage]]:
    """Concatenate windows to one text. Return the text, and the span of each window in the text."""
    spans, at = [], 0
    for window in windows:
        spans.append(Passage(at, at + len(window)))
        at += len(window)
    return "".join(windows), spans


def _embeddings(folder: Path) -> torch.Tensor:
    """Return the word-piece embeddings in a model's folder: float [vocabulary, width]."""
    try:
        with safe_open(folder / "model.safetensors", framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - Not a mapping.
                if name.endswith(EMBEDDINGS):
                    table: torch.Tensor = file.get_tensor(name)
                    return table
    except (OSError, SafetensorError) as error:
        raise ModelError(f"the embeddings in {folder} cannot be read: {error}") from error
    raise ModelError(
        f"{folder}/model.safetensors has no word-piece embeddings; choose a model with a tensor "
        f"named {' or '.join(f'*{name}' for name in EMBEDDINGS)}"
    )
