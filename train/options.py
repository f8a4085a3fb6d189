"""Options of trainings. They are read where torch is not loaded."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import model_validator

from ..core import Config
from ..core.bounds import Bounds, Count, Few, Seed, Tokens
from ..core.config import Device


class CrossEncoderTraining(Config):
    """How a cross-encoder is trained.

    init:       model that it begins as: a name on this machine or a folder. A bi-encoder or a
                language model with masks lacks the head that scores, which begins at random; a
                cross-encoder goes on.
    layers:     of these, how many are kept, from the bottom; None = all. Fewer are faster.
    loss:       "softmax", cross-entropy over a positive and its negatives (localized contrastive
                estimation, Gao et al., 2021), or "binary", of each pair by itself.
    negatives:  for each positive; drawn anew each epoch from the `depth` best of BM25.
    synthetic:  queries made from the documents, at most; see `twindex.train.weak_queries`.
    written:    queries that the language model `writer` writes for documents, at most.
    batch:      queries whose gradients make up a step.
    lr:         highest learning rate; reached after the share `warmup` of the steps, it then falls
                to zero in a straight line. The head has `head_lr` times it.
    minutes:    stop by then, and let the learning rate fall with the time; None = by epochs only.
                Runs that are limited so are not the same each time.
    precision:  "auto" = bfloat16 (autocast) where the device has it, else float32.
    held_out:   queries that are not trained on and choose the best checkpoint; at most a fifth.
    rerank:     documents of BM25 that are reranked for each of these.
    validations: times that they are reranked.
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
            raise ValueError("written: goes with a writer, and a writer with a number of queries")
        return self


class PassageScorerTraining(Config):
    """How a passage scorer is trained.

    model:      whose word-piece embeddings are used, and not trained: best the costly model's.
    dimensions: of the convolved vectors; what a document takes in memory grows with them.
    top:        the costly model's best windows that gain something.
    windows:    of a document that one step sees, the top ones among them; None = all.
    depth:      documents that are labelled for each query, the best of BM25.
    held_out:   share of queries that are not trained on; the epoch that is best on them is kept.
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
