"""The training loop for cross-encoders: optimiser steps, validations and checkpoints."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from ..core import ConflictError, NoProgress, Progress
from ..rerank.cross_encoder.pair_model import Pair, PairModel
from .checkpoint import Checkpoint
from .lists import PairList, PairLists
from .options import CrossEncoderTraining

BUDGET = {"cpu": 2_048, "cuda": 65_536}
"""Device -> maximum number of padded tokens in one forward pass.

A single list of pairs may exceed it, because a list is never divided."""
PROGRESS = ("step", "pairs", "truncated", "skipped", "seconds", "history")
"""Attributes of `Fitting` that a checkpoint stores unchanged."""
SAVE_SECONDS = 120.0
"""Seconds between checkpoints. A checkpoint is also written after each validation."""


class Fitting:
    """A training run of a cross-encoder.

    model:    the model that is trained.
    lists:    the training data.
    validate: function that returns the quality of the current weights; higher is better. The
              weights with the highest value are kept.
    folder:   folder of the checkpoint.
    identity: digest of everything that the weights depend on. If `folder` has a checkpoint with
              another digest, `run` raises ConflictError.
    """

    def __init__(
        self,
        model: PairModel,
        lists: PairLists,
        options: CrossEncoderTraining,
        validate: Callable[[], float],
        folder: Path,
        identity: str,
    ) -> None:
        self._model, self._lists, self._options = model, lists, options
        self._validate, self._folder = validate, folder
        self._identity = identity
        self._reduced = _reduced(options.precision, model.device)
        self._parameters = [p for p in model.model.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(_groups(model.model, options), lr=options.lr)
        self._best: dict[str, torch.Tensor] = {}
        self.steps = options.epochs * -(-len(lists) // options.batch)
        self.step = 0
        self.pairs = self.truncated = self.skipped = 0
        self.seconds = 0.0
        self.history: list[dict[str, float]] = []
        self._losses: list[float] = []
        self.precision = "bfloat16" if self._reduced else "float32"

    def run(self, progress: Progress | None = None) -> None:
        """Train to the end, and load the best weights into the model.

        If `folder` has a checkpoint of an interrupted run, the training resumes there.
        """
        progress = progress or NoProgress()
        torch.manual_seed(self._options.seed)
        self._resume()
        progress.start("train", self.steps, "steps", self.step)
        began = saved = perf_counter()
        before = self.seconds
        for batch in self._batches():
            self._losses.append(self._learn(batch))
            self.step += 1
            progress.advance()
            if due := self._due():
                self._measure()
            self.seconds = before + perf_counter() - began
            if due or perf_counter() - saved > SAVE_SECONDS:
                self._save()
                saved = perf_counter()
            if self.done >= 1:
                break
        if not self.history or self.history[-1]["step"] != self.step:
            self._measure()
        self._model.model.load_state_dict(self._best)

    @property
    def done(self) -> float:
        """The completed share of the training, from 0 to 1.

        The larger one of two shares: completed steps, and used time if there is a time limit.
        """
        share = self.step / max(1, self.steps)
        if self._options.minutes is not None:
            share = max(share, self.seconds / (60 * self._options.minutes))
        return min(1.0, share)

    def _due(self) -> bool:
        """Return True if a validation is due after the steps so far."""
        return self.done >= (len(self.history) + 1) / self._options.validations

    def _batches(self) -> Iterator[list[PairList]]:
        """Yield the batches that remain after the current step."""
        size, skipped = self._options.batch, self.step
        for epoch in range(self._options.epochs):
            order = self._lists.epoch(epoch)
            for begin in range(0, len(order), size):
                if skipped:
                    skipped -= 1
                    continue
                yield [self._lists.get(number, epoch) for number in order[begin : begin + size]]

    def _learn(self, batch: Sequence[PairList]) -> float:
        """Run one optimiser step on a batch of lists, and return their mean loss."""
        for group in self._optimizer.param_groups:
            group["lr"] = group["highest"] * self._rate()
        self._optimizer.zero_grad(set_to_none=True)
        self._model.model.train()
        total = 0.0
        for part in self._parts(batch):
            pairs = [pair for one in part for pair in one]
            with torch.autocast(self._model.device.type, torch.bfloat16, enabled=self._reduced):
                logits = self._model.model(self._model.features(pairs))["scores"]
            scores = logits.float().reshape(-1).split([len(one) for one in part])
            loss = torch.stack([self._loss(row) for row in scores]).sum() / len(batch)
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
            self.pairs += len(pairs)
        torch.nn.utils.clip_grad_norm_(self._parameters, self._options.clip)
        self._optimizer.step()
        return total

    def _loss(self, scores: torch.Tensor) -> torch.Tensor:
        """Return the loss of one list of documents.

        scores: the logit of each document, the relevant document (positive) first.
        """
        if self._options.loss == "softmax":
            return -torch.log_softmax(scores, 0)[0]
        targets = torch.zeros_like(scores)
        targets[0] = 1
        return torch.nn.functional.binary_cross_entropy_with_logits(scores, targets)

    def _parts(self, batch: Sequence[PairList]) -> Iterator[list[list[Pair]]]:
        """Yield the tokenised batch in parts of at most `BUDGET` padded tokens.

        Skips a list if its query is so long that no token of a document fits into the input.
        """
        budget = BUDGET[self._model.device.type]
        part: list[list[Pair]] = []
        longest = count = 0
        for one in batch:
            pairs = self._model.tokenize([one.query] * len(one.texts), one.texts)
            if pairs[0].room < 1:
                self.skipped += 1
                continue
            self.truncated += sum(pair.truncated for pair in pairs)
            length = max(len(pair.ids) for pair in pairs)
            if part and max(longest, length) * (count + len(pairs)) > budget:
                yield part
                part, longest, count = [], 0, 0
            part.append(pairs)
            longest, count = max(longest, length), count + len(pairs)
        if part:
            yield part

    def _rate(self) -> float:
        """Return the current learning rate, as a share of the highest one.

        The share rises linearly to 1 during the warm-up, then falls linearly to 0.
        """
        warmup, done = self._options.warmup, self.done
        if done < warmup:
            return min(1.0, max(done, 1 / max(1, self.steps)) / warmup)
        return (1 - done) / (1 - warmup)

    def _measure(self) -> None:
        self._model.model.eval()
        figure = self._validate()
        loss = sum(self._losses) / max(1, len(self._losses))
        self._losses = []
        self.history.append({"step": self.step, "loss": loss, "figure": figure})
        if figure >= max(entry["figure"] for entry in self.history):
            self._best = {n: v.detach().clone() for n, v in self._model.model.state_dict().items()}

    def _save(self) -> None:
        random = {"cpu": torch.get_rng_state()}
        if self._model.device.type == "cuda":
            random["cuda"] = torch.cuda.get_rng_state(self._model.device)
        state = {name: getattr(self, name) for name in PROGRESS}
        state |= {"identity": self._identity, "losses": self._losses}
        optimizer = self._optimizer.state_dict()["state"]
        weights = self._model.model.state_dict()
        Checkpoint(weights, self._best, optimizer, random, state).save(self._folder)

    def _resume(self) -> None:
        found = Checkpoint.load(self._folder)
        if found is None:
            return
        if found.state["identity"] != self._identity:
            raise ConflictError(
                f"{self._folder}: has an unfinished training run with other data, options or "
                "library versions; remove this folder to start again, or use the same data, "
                "options and versions to resume"
            )
        self._model.model.load_state_dict(dict(found.weights))
        whole = self._optimizer.state_dict()
        whole["state"] = {number: dict(values) for number, values in found.optimizer.items()}
        self._optimizer.load_state_dict(whole)
        torch.set_rng_state(found.random["cpu"])
        if "cuda" in found.random:
            torch.cuda.set_rng_state(found.random["cuda"], self._model.device)
        self._best = {name: value.to(self._model.device) for name, value in found.best.items()}
        for name in PROGRESS:
            setattr(self, name, found.state[name])
        self._losses = list(found.state["losses"])


def identity(*parts: Any) -> str:
    """Return a digest of JSON values, such as the data and options that identify a training run."""
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16).hexdigest()


def _groups(model: Any, options: CrossEncoderTraining) -> list[dict[str, Any]]:
    """Return the model's parameters in groups with equal learning rate and weight decay.

    Weight decay applies only to matrices, not to biases and weights of norms.
    """
    inner = {id(p) for p in model.transformers_model.base_model.parameters()}
    groups: dict[tuple[bool, bool], list[Any]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            key = (id(parameter) in inner, parameter.ndim > 1)
            groups.setdefault(key, []).append(parameter)
    return [
        {
            "params": parameters,
            "highest": options.lr * (1.0 if in_inner else options.head_lr),
            "weight_decay": options.weight_decay if decays else 0.0,
        }
        for (in_inner, decays), parameters in groups.items()
    ]


def _reduced(precision: str, device: torch.device) -> bool:
    """Return True to compute in bfloat16, False for float32.

    precision: the option `precision`. "auto": bfloat16 if the device supports it.
    """
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported())
