"""Trains a cross-encoder in the format of sentence-transformers.

1. Collect judged queries, and hold some of them out for validation. Generate more queries from the
   documents.
2. Find hard negatives for each query with BM25 (`negatives`): documents that look relevant but are
   not.
3. Train a transformer with a scoring layer on lists of one relevant document and its negatives
   (`fitting`).
4. Keep the weights with the best nDCG@10 after reranking the BM25 results of the held-out queries.
   Write `training.json`, which records everything that the weights depend on.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, cast

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
from ..llm import GenerativeModel, find_weights, weights_digest
from ..llm.loading import load_model
from ..llm.local.pretrained import FAILURES, pick_device, quiet
from ..llm.protocol import unsupported
from ..llm.weights.cache import make_folder
from ..rerank import CrossEncoderConfig
from ..rerank.cross_encoder.pair_model import PairModel
from .fitting import Fitting, identity
from .lexical import LexicalSearch
from .lists import PairLists
from .options import CrossEncoderTraining
from .queries import TrainingQuery, judged_queries, split
from .validation import MEASURE, Validation
from .weak_queries import cached_queries, findable, queries_from_texts, write_queries

EXAMPLES = 2
"""Number of judged queries in the prompt of a language model that writes queries."""


@dataclass(frozen=True, slots=True)
class Trained:
    """The result of training a cross-encoder. `training.json` in the model's folder has it too.

    folder:      folder of the trained model.
    queries:     origin of queries (see `TrainingQuery`) -> number of training queries.
    held_out:    number of held-out queries. The results for these queries decide which weights are
                 best.
    first_stage: nDCG@10 of BM25 for the held-out queries.
    best:        nDCG@10 after the cross-encoder reranks the BM25 results of the held-out queries.
    steps:       number of optimiser steps.
    pairs:       number of (query, document) pairs trained on, over all epochs.
    truncated:   number of these pairs whose document was truncated.
    skipped:     number of times that a query was skipped because it is so long that no token of a
                 document fits into `max_length`.
    seconds:     duration of the training.
    device:      device that the training ran on.
    precision:   number format of the computation: "float32" or "bfloat16".
    history:     for each validation, the step, the mean loss since the previous validation, and
                 nDCG@10.
    """

    folder: Path
    queries: Mapping[str, int]
    held_out: int
    first_stage: float
    best: float
    steps: int
    pairs: int
    truncated: int
    skipped: int
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
    """Train a cross-encoder, and write the model to the folder `output`, which must not exist.

    A call with the same arguments resumes an interrupted training run. Until the run is complete,
    its state is in the folder `.NAME.training` beside `output`, where NAME is the name of `output`.

    Raises ConflictError if `output` exists, or if the folder of the state belongs to a run with
    other arguments. Raises InvalidInputError for data that is insufficient for training.
    """
    options = options or CrossEncoderTraining()
    progress = progress or NoProgress()
    if output.exists():
        raise ConflictError(f"{output} exists already; name a new folder")
    began = perf_counter()
    known = {document.id: document for document in documents}
    if not known:
        raise InvalidInputError("must have at least one document, got none", field="documents")
    judged = judged_queries(queries, qrels, known)
    training, validation = split(judged, options.held_out, options.seed)
    if not validation:
        raise InvalidInputError(
            "must have at least 5 queries with relevant documents (one is held out for "
            f"validation), got {len(judged)}; add judged queries",
            field="queries",
        )
    data = _digests(documents, queries, qrels, options)
    this = identity(options.model_dump(mode="json"), data, _versions())
    work = output.parent / f".{output.name}.training"
    model = initial_model(options)
    progress.start("index", None, "documents")
    with LexicalSearch(list(known.values())) as lexical:
        weak = queries_from_texts(list(known.values()), options.synthetic, options.seed)
        if options.written:
            weak += cached_queries(
                work, this, lambda: _write_queries(known, training, options, progress)
            )
        weak = findable(weak, lexical.search)
        trained_on = [*training, *weak]
        ranked = lexical.search([query.text for query in trained_on], options.depth)
        validate = Validation(validation, qrels, known, lexical.search, options)
    lists = PairLists(trained_on, ranked, known, negatives=options.negatives, seed=options.seed)
    if not len(lists):
        raise InvalidInputError(
            "BM25 finds no documents that can be negatives for the training queries; add documents "
            "or increase `depth`",
            field="queries",
        )
    work.mkdir(parents=True, exist_ok=True)
    fitting = Fitting(model, lists, options, lambda: validate(model), work, this)
    fitting.run(progress)
    progress.close()
    report = Trained(
        folder=output,
        queries=dict(Counter(query.origin for query in trained_on)),
        held_out=len(validation),
        first_stage=validate.first_stage,
        best=max(entry["figure"] for entry in fitting.history),
        steps=fitting.step,
        pairs=fitting.pairs,
        truncated=fitting.truncated,
        skipped=fitting.skipped,
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
        _copy_permissions(folder, work)

    make_folder(output, fill)
    shutil.rmtree(work, ignore_errors=True)
    return report


def as_json(trained: Trained) -> dict[str, Any]:
    """Return the report as a JSON object, for `training.json` and the command line."""
    return {**asdict(trained), "folder": trained.folder.name}


def initial_model(options: CrossEncoderTraining) -> PairModel:
    """Return the model at the start of training: the model `init` of the options.

    If the model has no scoring layer (head), it gets one with random weights.

    Raises ModelError if the model cannot be loaded, and ConfigError for options that the model does
    not support.
    """
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
                    source,
                    local_files_only=True,
                    trust_remote_code=False,
                    use_safetensors=True,
                    dtype=torch.float32,
                    **changes,
                )
                network.save_pretrained(folder)
                AutoTokenizer.from_pretrained(
                    source, local_files_only=True, trust_remote_code=False
                ).save_pretrained(folder)
                model = CrossEncoder(
                    folder,
                    device=pick_device(options.device),
                    max_length=options.max_length,
                    local_files_only=True,
                )
        except ConfigError:
            raise
        except FAILURES as error:
            raise ModelError(f"model {options.init!r} cannot be trained: {error}") from error
    return PairModel(model, config)


def _check_layers(options: CrossEncoderTraining, source: Path) -> None:
    """Raise ConfigError if the option `layers` exceeds the number of layers of a model.

    The additional layers would have random weights.

    source: folder of the model.
    """
    config = AutoConfig.from_pretrained(source, local_files_only=True, trust_remote_code=False)
    own = getattr(config, "num_hidden_layers", None)
    if options.layers is None:
        return
    if own is None:
        raise ConfigError(
            f"is not supported by model {options.init!r}, because its configuration has no "
            "`num_hidden_layers`; leave out `layers`",
            field="layers",
        )
    if options.layers > own:
        raise ConfigError(
            f"must be at most {own} (the number of layers of model {options.init!r}), got "
            f"{options.layers}; lower it, or leave it out",
            field="layers",
        )


def _write_queries(
    documents: Mapping[str, Document],
    training: Sequence[TrainingQuery],
    options: CrossEncoderTraining,
    progress: Progress,
) -> list[TrainingQuery]:
    """Return queries that a language model writes for documents.

    The prompt has a few judged queries with their documents as examples.
    """
    assert options.writer is not None, "CrossEncoderTraining checks it"
    model = load_model(options.writer, device=options.device)
    if "generate" not in model.capabilities:
        raise unsupported(model, "generate")
    progress.start("write", options.written, "queries")
    shown = [(documents[query.positives[0]], query.text) for query in training[:EXAMPLES]]
    return write_queries(
        cast(GenerativeModel, model),
        list(documents.values()),
        shown,
        options.written,
        options.seed,
        advance=progress.advance,
    )


def _digests(
    documents: Sequence[Document],
    queries: Sequence[Query],
    qrels: Qrels,
    options: CrossEncoderTraining,
) -> dict[str, str]:
    """Return digests of the training data and the initial weights, to recognise the same run.

    The keys are "documents", "queries", "qrels" and "init".
    """
    parts: dict[str, Any] = {
        "documents": [[d.id, d.title, d.text] for d in documents],
        "queries": [[query.id, query.text] for query in queries if query.id in qrels],
        "qrels": qrels,
    }
    found = {name: identity(value) for name, value in parts.items()}
    return {**found, "init": weights_digest(find_weights(options.init))}


def _copy_permissions(folder: Path, like: Path) -> None:
    """Give `folder` and everything in it the permissions of the folder `like`.

    Otherwise only the owner could read the model, because temporary folders and safetensors files
    ignore the umask.
    """
    mode = like.stat().st_mode & 0o777
    for path in folder.rglob("*"):
        path.chmod(mode if path.is_dir() else mode & 0o666)
    folder.chmod(mode)


def _versions() -> dict[str, Any]:
    names = ("torch", "transformers", "sentence-transformers")
    return {"versions": {name: version(name) for name in names}}
