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
from .lists import Lists
from .options import CrossEncoderTraining
from .queries import TrainingQuery, judged, split
from .validation import MEASURE, Check
from .weak_queries import found_again, from_texts, kept, written

EXAMPLES = 2
"""Judged queries that a language model is shown."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training did. Also in the folder's `training.json`.

    queries:    trained on, by origin. held_out: that chose the weights.
    first_stage, best: nDCG@10 of BM25 and of the cross-encoder on what BM25 found, for these.
    history:    step, mean loss since the one before, nDCG@10.
    truncated:  of the pairs, those whose passage was not read to its end.
    skipped:    queries, counted each time, that left no room for a passage.
    precision:  of the arithmetic.
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
    data = _digests(documents, queries, qrels, options)
    this = identity(options.model_dump(mode="json"), data, _versions())
    work = output.parent / f".{output.name}.training"
    model = begin(options)
    progress.start("index", None, "documents")
    with LexicalSearch(list(known.values())) as lexical:
        weak = from_texts(list(known.values()), options.synthetic, options.seed)
        if options.written:
            weak += kept(work, this, lambda: _written(known, training, options, progress))
        weak = found_again(weak, lexical.search)
        trained_on = [*training, *weak]
        ranked = lexical.search([query.text for query in trained_on], options.depth)
        check = Check(validation, qrels, known, lexical.search, options)
    lists = Lists(trained_on, ranked, known, negatives=options.negatives, seed=options.seed)
    if not len(lists):
        raise InvalidInputError("BM25 finds no negative for any of them", field="queries")
    work.mkdir(parents=True, exist_ok=True)
    fitting = Fitting(model, lists, options, lambda: check(model), work, this)
    fitting.run(progress)
    progress.close()
    report = Trained(
        folder=output,
        queries=dict(Counter(query.origin for query in trained_on)),
        held_out=len(validation),
        first_stage=check.first_stage,
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
            raise ModelError(f"model {options.init!r} cannot begin a training: {error}") from error
    return PairModel(model, config)


def _check_layers(options: CrossEncoderTraining, source: Path) -> None:
    """More layers than there are would begin at random."""
    config = AutoConfig.from_pretrained(source, local_files_only=True, trust_remote_code=False)
    own = getattr(config, "num_hidden_layers", None)
    if options.layers is not None and (own is None or options.layers > own):
        raise ConfigError(f"{options.init} has {own}", field="layers")


def _written(
    documents: Mapping[str, Document],
    training: Sequence[TrainingQuery],
    options: CrossEncoderTraining,
    progress: Progress,
) -> list[TrainingQuery]:
    """What a language model writes, shown the first judged queries."""
    assert options.writer is not None, "the options say so"
    model = load_model(options.writer, device=options.device)
    if "generate" not in model.capabilities:
        raise unsupported(model, "generate")
    progress.start("write", options.written, "queries")
    shown = [(documents[query.positives[0]], query.text) for query in training[:EXAMPLES]]
    return written(
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
    """Of what was given, so that a training can be told from one on other data."""
    parts: dict[str, Any] = {
        "documents": [[d.id, d.title, d.text] for d in documents],
        "queries": [[query.id, query.text] for query in queries if query.id in qrels],
        "qrels": qrels,
    }
    found = {name: identity(value) for name, value in parts.items()}
    return {**found, "init": weights_digest(find_weights(options.init))}


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
