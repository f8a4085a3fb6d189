"""Options for training models. This module does not import torch, so it loads fast."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import model_validator

from ..core import Config
from ..core.bounds import Bounds, Count, Few, Seed, Tokens
from ..core.config import Device


class CrossEncoderTraining(Config):
    """Options for training a cross-encoder.

    init:         model to start from: the name of an installed model, or a folder. A cross-encoder
                  keeps its scoring layer (head). A bi-encoder or masked language model has no head
                  and gets one with random weights.
    layers:       number of lowest layers to keep; fewer layers are faster. None: all layers.
    loss:         "softmax": cross-entropy over a positive and its negatives (localized contrastive
                  estimation, Gao et al., 2021). "binary": cross-entropy of each pair of query and
                  document.
    epochs:       number of passes over the training queries.
    negatives:    number of documents that do not answer the query (negatives) for each document
                  that does (positive). Negatives are sampled again in each epoch.
    depth:        number of BM25 results of a query from which negatives are sampled.
    synthetic:    maximum number of document titles and sentences that serve as training queries;
                  see `twindex.train.weak_queries`.
    written:      maximum number of queries that a language model writes, each for one document.
    writer:       the language model that writes these queries. None: no queries are written.
    batch:        number of queries in one step.
    lr:           highest learning rate. The rate rises linearly from 0, then falls linearly to 0.
    head_lr:      learning rate of the scoring head, as a multiple of `lr`.
    weight_decay: weight decay of matrices. Biases and norms have no weight decay.
    warmup:       share of the training during which the learning rate rises.
    clip:         maximum norm of the gradient; a longer gradient is scaled down to it.
    max_length:   maximum number of tokens of a query and a document together.
    held_out:     maximum number of queries that are held out from training, to choose the best
                  weights. At most a fifth of all judged queries is held out.
    rerank:       number of BM25 results to rerank for each held-out query.
    validations:  number of validations. Each one reranks the BM25 results of the held-out queries.
    minutes:      time limit in minutes. With a limit, the learning rate depends on the time, so two
                  runs may give different models. None: no time limit.
    precision:    "auto": bfloat16 (autocast) if the device supports it, else float32.
    device:       device that the training runs on. "auto" uses CUDA if it is available.
    seed:         seed of all random choices.
    """

    init: str = "all-MiniLM-L6-v2"
    layers: Few | None = None
    loss: Literal["softmax", "binary"] = "softmax"
    epochs: Few = 2
    negatives: Few = 7
    depth: Few = 100
    synthetic: Annotated[int, Bounds(0, 100_000_000)] = 0
    written: Annotated[int, Bounds(0, 100_000_000)] = 0
    writer: str | None = None
    batch: Annotated[int, Bounds(1, 65_536)] = 8
    lr: Annotated[float, Bounds(0, 1, above=True)] = 5e-5
    head_lr: Annotated[float, Bounds(0, 1e6, above=True)] = 10.0
    weight_decay: Annotated[float, Bounds(0, 1e6)] = 0.01
    warmup: Annotated[float, Bounds(0, 0.99)] = 0.1
    clip: Annotated[float, Bounds(0, 1e6, above=True)] = 1.0
    max_length: Tokens = 256
    held_out: Count = 80
    rerank: Few = 50
    validations: Few = 4
    minutes: Annotated[float, Bounds(0, 525_600, above=True)] | None = None
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    device: Device = "auto"
    seed: Seed = 0

    @model_validator(mode="after")
    def _who_writes(self) -> Self:
        if bool(self.written) != (self.writer is not None):
            raise ValueError(
                f"`written` and `writer` require each other, got {self.written} and {self.writer}; "
                "set both or neither"
            )
        return self


class PassageScorerTraining(Config):
    """Options for training a passage scorer.

    A passage scorer selects the windows (short parts) of a document that a costly reranker reads.

    model:         model whose word-piece embeddings the scorer uses without changing them. The best
                   choice is the costly reranker's model.
    dimensions:    number of dimensions of the scorer's token vectors. The memory for a document is
                   proportional to it.
    top:           number of windows of each document that the scorer learns to rank first: those
                   with the costly reranker's best scores.
    windows:       number of windows of a document used in one step, including the `top` best. The
                   others are chosen at random. None: all windows.
    depth:         number of BM25 results of each query whose windows the costly reranker scores.
    epochs:        number of passes over the training documents.
    batch:         number of documents in one step.
    learning_rate: learning rate of the optimiser.
    held_out:      share of the queries that are held out from training, to choose the best epoch.
    seed:          seed of all random choices.
    size:          number of words in a window.
    overlap:       number of words added to a window on each side.
    """

    model: str = "all-MiniLM-L6-v2"
    dimensions: Annotated[int, Bounds(8, 65_536)] = 128
    top: Few = 4
    windows: Annotated[int, Bounds(2, 100_000)] | None = 64
    depth: Few = 4
    epochs: Few = 3
    batch: Annotated[int, Bounds(1, 65_536)] = 8
    learning_rate: Annotated[float, Bounds(0, 1, above=True)] = 1e-3
    held_out: Annotated[float, Bounds(0, 0.99)] = 0.1
    seed: Seed = 0
    size: Annotated[int, Bounds(4, 100_000)] = 50
    overlap: Annotated[int, Bounds(0, 100_000)] = 7
