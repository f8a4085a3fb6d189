"""Trains the passage scorer of the intra-document cascade after a costly reranker.

Step 3 of IDCM (Hofstätter et al., 2021): the costly model is frozen and scores every window of some
documents; the scorer learns with LambdaLoss (`lambda_loss`) to rank its n best first, which gain
n, n - 1, ..., 1, while all others gain nothing. Judgements are not needed; where there are any, the
weights of the best windows in a document's score can be learned too (`window_weights`).
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
"""How the table of word pieces is named at its end, in checkpoints."""


@dataclass(frozen=True, slots=True)
class Example:
    """A query, a document's windows, and what the costly model thinks of them: float [windows]."""

    query: str
    document: str
    windows: Sequence[str]
    costly: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Epoch:
    """loss: mean of the steps. found: see `found_share`, on the queries held out; None = none."""

    loss: float
    found: float | None


def label(
    slow: Reranker,
    pairs: Sequence[tuple[Query, Document]],
    options: PassageScorerTraining,
    progress: Progress | None = None,
) -> list[Example]:
    """Let the costly reranker score every window of the document of each pair.

    Raises the costly reranker's error, and InvalidInputError where it gives no scores.
    """
    progress = progress or NoProgress()
    progress.start("label", len(pairs), "documents")
    made = []
    for query, document in pairs:
        text = document.text
        windows = [text[w.start : w.end] for w in cut(text, options.size, options.overlap)]
        candidates = [Candidate(str(i), one, document.title) for i, one in enumerate(windows)]
        (found,) = slow.rerank([Task(query.text, candidates)])
        if found.error is not None:
            raise found.error
        scores = np.empty(len(windows), np.float32)
        for placed in found.order:
            score = window_score(placed)
            if score is None:
                raise InvalidInputError(f"{slow.kind} gives no scores to learn from", field="slow")
            scores[placed.index] = score
        made.append(Example(query.text, document.id, windows, scores))
        progress.advance()
    return made


def new_scorer(options: PassageScorerTraining) -> KernelScorer:
    """Not trained yet. Raises ModelError where the model has no table of word pieces."""
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
    told: Callable[[int, Epoch], None] = lambda number, epoch: None,
) -> KernelScorer:
    """The trained scorer. The same examples, options and threads give the same weights.

    told: is called after each epoch, and with number 0 before the first. Raises InvalidInputError
    where no document has more than `top` windows: there is nothing to pick.
    """
    options = options or PassageScorerTraining()
    useful = [one for one in examples if len(one.windows) > options.top]
    if not useful:
        raise InvalidInputError(
            f"no document has more than {options.top} windows, so there is nothing to learn"
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
    told(0, Epoch(float("nan"), found_share(scorer, check, options.top)))
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
        found = found_share(scorer, check, options.top)
        told(number, Epoch(float(np.mean(losses)), found))
        if found is not None and (best is None or found > best[0]):
            best = found, {name: value.clone() for name, value in model.state_dict().items()}
    if best is not None:
        model.load_state_dict(best[1])
    return KernelScorer(model, scorer.tokenizer, scorer.options)


def found_share(scorer: KernelScorer, examples: Sequence[Example], top: int) -> float | None:
    """Of the costly model's `top` best windows, the share that is among the scorer's; a mean over
    examples, None where there are none."""
    shares = []
    for one, order in zip(examples, ranked(scorer, examples), strict=True):
        best = set(np.argsort(-one.costly, kind="stable")[:top].tolist())
        shares.append(len(best & set(order[:top].tolist())) / len(best))
    return float(np.mean(shares)) if shares else None


def ranked(scorer: KernelScorer, examples: Sequence[Example]) -> list[NDArray[np.int64]]:
    """For each example the numbers of its windows, the scorer's best first."""
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
    """Of one example, on its top windows and some of the others."""
    order = np.argsort(-one.costly, kind="stable")
    chosen, others = order[: options.top], order[options.top :]
    if options.windows is not None and len(order) > options.windows:
        others = random.choice(others, max(1, options.windows - options.top), replace=False)
    seen = np.concatenate([chosen, others])
    gains = torch.zeros(len(seen))
    gains[: len(chosen)] = torch.arange(len(chosen), 0, -1).float()
    # The order of equal scores is that of the list, which must not tell the gains.
    shuffle = random.permutation(len(seen))
    windows = [ids[one.windows[i]] for i in seen[shuffle]]
    lengths = torch.tensor([len(window) for window in windows])
    vectors = model.vectors([ids[one.query], *windows])
    query = len(ids[one.query])
    scores = model.scores(vectors[:query], vectors[query:], lengths)
    return ndcg_loss2(scores, gains[torch.from_numpy(shuffle)])


def _joined(windows: Sequence[str]) -> tuple[str, list[Passage]]:
    """Windows as pieces of one text."""
    spans, at = [], 0
    for window in windows:
        spans.append(Passage(at, at + len(window)))
        at += len(window)
    return "".join(windows), spans


def _embeddings(folder: Path) -> torch.Tensor:
    """The table of word pieces of a checkpoint, [vocabulary, width]."""
    try:
        with safe_open(folder / "model.safetensors", framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - not a mapping
                if name.endswith(EMBEDDINGS):
                    table: torch.Tensor = file.get_tensor(name)
                    return table
    except (OSError, SafetensorError) as error:
        raise ModelError(f"the embeddings in {folder} cannot be read: {error}") from error
    raise ModelError(f"{folder} has no table of word pieces that can be used here")
