"""From documents, queries and judgements to a cross-encoder in the format of sentence-transformers.

1. Queries with judgements, of which some are held out; and queries made from the documents.
2. Their hard negatives from BM25 (`negatives`).
3. A transformer with a new head, fitted to lists of one positive and its negatives (`fitting`).
4. The weights that rerank BM25 best for the held-out queries (nDCG@10), and a `training.json` with
   everything that they depend on.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import torch
from sentence_transformers import CrossEncoder
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from ..core import (
    ConfigError,
    ConflictError,
    Document,
    InvalidInputError,
    ModelError,
    NoProgress,
    Progress,
    Qrels,
    Query,
)
from ..core.rerank_config import CrossEncoderConfig
from ..eval import evaluate
from ..llm import find_weights
from ..llm.cache import make_folder
from ..llm.pretrained import FAILURES, pick_device, quiet
from ..rerank.pair_model import PairModel
from .fitting import Fitting, identity
from .lexical import LexicalSearch, Search
from .lists import Lists
from .options import CrossEncoderTraining
from .queries import TrainingQuery, judged, split
from .weak_queries import found_again, from_texts

MEASURE = "nDCG@10"


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training did. Also in the folder's `training.json`.

    queries:    trained on, by origin. held_out: that chose the weights.
    first_stage, best: nDCG@10 of BM25 and of the cross-encoder on what BM25 found, for these.
    history:    step, mean loss since the one before, nDCG@10.
    precision:  of the arithmetic.
    """

    folder: Path
    queries: Mapping[str, int]
    held_out: int
    first_stage: float
    best: float
    steps: int
    pairs: int
    seconds: float
    device: str
    precision: str
    history: Sequence[Mapping[str, float]]


def train_cross_encoder(
    output: Path,
    documents: Sequence[Document],
    queries: Sequence[Query],
    qrels: Qrels,
    options: CrossEncoderTraining | None = None,
    *,
    progress: Progress | None = None,
) -> Trained:
    """Train and write the folder `output`, which must not exist.

    An interrupted training goes on when it is called again with the same arguments: until it is
    complete its state is in the folder `.NAME.training` beside the output. Raises ConflictError
    where `output` exists or that folder is of another training, and InvalidInputError for data
    that nothing can be learned from.
    """
    options = options or CrossEncoderTraining()
    progress = progress or NoProgress()
    if output.exists():
        raise ConflictError(f"{output} exists already")
    began = perf_counter()
    known = {document.id: document for document in documents}
    if not known:
        raise InvalidInputError("are empty", field="documents")
    training, validation = split(judged(queries, qrels, known), options.held_out, options.seed)
    if not validation:
        raise InvalidInputError(
            "fewer than 5 queries have relevant documents: none can be held out", field="queries"
        )
    progress.start("index", None, "documents")
    with LexicalSearch(list(known.values())) as lexical:
        weak = from_texts(list(known.values()), options.synthetic, options.seed)
        weak = found_again(weak, lexical.search)
        lists = _lists([*training, *weak], known, lexical.search, options)
        check = _Check(validation, qrels, known, lexical.search, options)
    if not len(lists):
        raise InvalidInputError("BM25 finds no negative for any of them", field="queries")
    model = begin(options)
    data = _digests(documents, queries, qrels)
    identity_ = identity(options.model_dump(mode="json"), data, _versions())
    work = output.parent / f".{output.name}.training"
    work.mkdir(parents=True, exist_ok=True)
    fitting = Fitting(model, lists, options, lambda: check(model), work, identity_)
    fitting.run(progress)
    progress.close()
    counted: dict[str, int] = {}
    for query in [*training, *weak]:
        counted[query.origin] = counted.get(query.origin, 0) + 1
    report = Trained(
        folder=output,
        queries=counted,
        held_out=len(validation),
        first_stage=check.first_stage,
        best=max(entry["figure"] for entry in fitting.history),
        steps=fitting.step,
        pairs=fitting.pairs,
        seconds=perf_counter() - began,
        device=model.device.type,
        precision=fitting.precision,
        history=[
            {"step": entry["step"], "loss": entry["loss"], MEASURE: entry["figure"]}
            for entry in fitting.history
        ],
    )

    def fill(folder: Path) -> None:
        with quiet():
            model.model.save_pretrained(str(folder), create_model_card=False)
        record = {"options": options.model_dump(mode="json"), "data": data, **as_json(report)}
        record |= _versions()
        (folder / "training.json").write_text(json.dumps(record, indent=2) + "\n")
        _share(folder, work)

    make_folder(output, fill)
    shutil.rmtree(work, ignore_errors=True)
    return report


def as_json(trained: Trained) -> dict[str, Any]:
    """What `training.json` and the command line say."""
    return {**asdict(trained), "folder": trained.folder.name}


def begin(options: CrossEncoderTraining) -> PairModel:
    """The model before its first step: the weights of `init` and, where it has none, a head at
    random. Raises ModelError, or ConfigError for options that it cannot have."""
    source = find_weights(options.init)
    config = CrossEncoderConfig(
        model=options.init, max_length=options.max_length, device=options.device
    )
    changes: dict[str, Any] = {"num_labels": 1}
    if options.layers is not None:
        changes["num_hidden_layers"] = options.layers
    torch.manual_seed(options.seed)
    with TemporaryDirectory(prefix="twindex-train-") as folder:
        try:
            with quiet():
                _check_layers(options, source)
                network = AutoModelForSequenceClassification.from_pretrained(
                    source, local_files_only=True, dtype=torch.float32, **changes
                )
                network.save_pretrained(folder)
                AutoTokenizer.from_pretrained(source, local_files_only=True).save_pretrained(folder)
                model = CrossEncoder(
                    folder,
                    device=pick_device(options.device),
                    max_length=options.max_length,
                    local_files_only=True,
                )
        except ConfigError:
            raise
        except FAILURES as error:
            raise ModelError(f"model {options.init!r} cannot begin a training: {error}") from error
    return PairModel(model, config)


def _check_layers(options: CrossEncoderTraining, source: Path) -> None:
    """More layers than there are would begin at random."""
    own = getattr(AutoConfig.from_pretrained(source), "num_hidden_layers", None)
    if options.layers is not None and (own is None or options.layers > own):
        raise ConfigError(f"{options.init} has {own}", field="layers")


class _Check:
    """nDCG@10 of the held-out queries, whose BM25 ranking a model reranks."""

    def __init__(
        self,
        queries: Sequence[TrainingQuery],
        qrels: Qrels,
        documents: Mapping[str, Document],
        search: Search,
        options: CrossEncoderTraining,
    ) -> None:
        self._qrels = {query.id: qrels[query.id] for query in queries}
        self._ranked = dict(
            zip(
                [query.id for query in queries],
                search([query.text for query in queries], options.rerank),
                strict=True,
            )
        )
        self._pairs = [
            (query.id, query.text, one, query.read(documents[one]))
            for query in queries
            for one in self._ranked[query.id]
        ]
        self.first_stage = self._figure(
            {
                query: {one: -float(rank) for rank, one in enumerate(ids)}
                for query, ids in self._ranked.items()
            }
        )

    def __call__(self, model: PairModel) -> float:
        _, queries, _, texts = zip(*self._pairs, strict=True)
        pairs = model.tokenize(queries, texts)
        fits = [i for i, pair in enumerate(pairs) if pair.room >= 1]
        logits = np.full(len(pairs), -np.inf)
        logits[fits] = model.read([pairs[i] for i in fits])[1]
        run: dict[str, dict[str, float]] = {}
        for (query, _, one, _), logit in zip(self._pairs, logits.tolist(), strict=True):
            run.setdefault(query, {})[one] = logit
        return self._figure(run)

    def _figure(self, run: Mapping[str, Mapping[str, float]]) -> float:
        return evaluate(run, self._qrels, [MEASURE]).measures[MEASURE]


def _lists(
    queries: Sequence[TrainingQuery],
    documents: Mapping[str, Document],
    search: Search,
    options: CrossEncoderTraining,
) -> Lists:
    ranked = search([query.text for query in queries], options.depth)
    return Lists(queries, ranked, documents, negatives=options.negatives, seed=options.seed)


def _digests(
    documents: Sequence[Document], queries: Sequence[Query], qrels: Qrels
) -> dict[str, str]:
    """Of what was given, so that a training can be told from one on other data."""
    parts: dict[str, Any] = {
        "documents": [[d.id, d.title, d.text] for d in documents],
        "queries": [[query.id, query.text] for query in queries if query.id in qrels],
        "qrels": qrels,
    }
    return {
        name: blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=16).hexdigest()
        for name, value in parts.items()
    }


def _share(folder: Path, like: Path) -> None:
    """Temporary folders and safetensors are for their owner only; a model is for those whom the
    umask allows it."""
    mode = like.stat().st_mode & 0o777
    for path in folder.rglob("*"):
        path.chmod(mode if path.is_dir() else mode & 0o666)
    folder.chmod(mode)


def _versions() -> dict[str, Any]:
    names = ("torch", "transformers", "sentence-transformers")
    return {"versions": {name: version(name) for name in names}}
