"""Options of training a cross-encoder."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ..core import Config
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
    layers: int | None = Field(default=None, ge=1)
    loss: Literal["softmax", "binary"] = "softmax"
    epochs: int = Field(default=2, ge=1)
    negatives: int = Field(default=7, ge=1)
    depth: int = Field(default=100, ge=1, le=1_000)
    synthetic: int = Field(default=0, ge=0)
    written: int = Field(default=0, ge=0)
    writer: str | None = None
    batch: int = Field(default=8, ge=1)
    lr: float = Field(default=5e-5, gt=0)
    head_lr: float = Field(default=10.0, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    warmup: float = Field(default=0.1, ge=0, lt=1)
    clip: float = Field(default=1.0, gt=0)
    max_length: int = Field(default=256, ge=8)
    held_out: int = Field(default=80, ge=1)
    rerank: int = Field(default=50, ge=1, le=1_000)
    validations: int = Field(default=4, ge=1)
    minutes: float | None = Field(default=None, gt=0)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    device: Device = "auto"
    seed: int = Field(default=0, ge=0, lt=2**32)

    @model_validator(mode="after")
    def _who_writes(self) -> Self:
        if bool(self.written) != (self.writer is not None):
            raise ValueError("written: goes with a writer, and a writer with a number of queries")
        return self
