"""Classifies pairs of a premise and a statement with a cross-encoder for entailment (NLI).

probability = softmax(logits)[label of entailment]
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import CrossEncoder

from ...core import ConfigError, ModelError
from ...core.unicode import unicode_errors
from ...encoders.text_model import BUDGET, UNLIMITED, padded, shared_model
from ...llm import find_weights
from ...llm.batching import batches
from ...llm.local.pretrained import loading, pick_device
from ...llm.weights.shared import SharedModel
from .entailing import Entailment, EntailmentConfig

ENTAILMENT = ("entailment", "entails", "entailed")
"""Names of the label of entailment, in lower case."""


class EntailmentModel:
    """An entailment model. Thread-safe: one batch runs at a time. See `Entails`."""

    def __init__(
        self, model: Any, config: EntailmentConfig, shared: SharedModel | None = None
    ) -> None:
        """Check a loaded CrossEncoder of sentence-transformers.

        Raises ModelError if the model has no fast tokenizer, and ConfigError for a model without a
        label for entailment or an option that the model does not support.
        """
        self._model = model
        self._shared = shared
        self._tokenizer: Any = getattr(model, "tokenizer", None)
        self._tokenizing = Lock() if shared is None else shared.tokenizing
        self._running = Lock()
        if not getattr(self._tokenizer, "is_fast", False):
            raise ModelError(
                f"model {config.model!r} has no fast tokenizer; use an entailment model that has "
                "one"
            )
        self._label = _label(model, config)
        self._limit = _limit(model, config)

    @classmethod
    def load(cls, config: EntailmentConfig) -> Self:
        """Load the model of a configuration. Raises the errors of `load_entailment`."""
        folder = find_weights(config.model, revision=config.revision)
        with loading(config.model, folder):
            shared = shared_model(CrossEncoder, folder, pick_device(config.device))
            return cls(shared.view(), config, shared)

    def __call__(self, pairs: Sequence[tuple[str, str]]) -> list[Entailment]:
        """Return the entailment of each pair of a premise and a statement, in a few batches.

        Raises InvalidInputError for text that is not valid Unicode.
        """
        if not pairs:
            return []
        premises, statements = zip(*pairs, strict=True)
        # The tokenizer keeps its truncation as state and cannot be shared by threads.
        with self._tokenizing, unicode_errors([*premises, *statements]):
            found = self._tokenizer(
                list(premises),
                list(statements),
                truncation="longest_first",
                max_length=self._limit,
                return_attention_mask=False,
                verbose=False,
            )
        cut = [bool(encoding.overflowing) for encoding in found.encodings]
        columns = {name: found[name] for name in ("input_ids", "token_type_ids") if name in found}
        values = np.empty(len(pairs))
        lengths = [len(ids) for ids in columns["input_ids"]]
        for rows in batches(lengths, BUDGET[self._model.device.type]):
            part = {name: [ids[row] for row in rows] for name, ids in columns.items()}
            values[rows] = self._probabilities(part)
        return [Entailment(float(one), short) for one, short in zip(values, cut, strict=True)]

    def _probabilities(self, columns: dict[str, list[Sequence[int]]]) -> NDArray[np.float64]:
        features = padded(self._tokenizer, columns, self._model.device)
        with self._running, torch.inference_mode():
            logits = self._model(features)["scores"].double()
            found: NDArray[np.float64] = torch.softmax(logits, 1)[:, self._label].cpu().numpy()
        return found


def _label(model: Any, config: EntailmentConfig) -> int:
    """Return the number of the label of entailment, from `id2label` of the model's config.json."""
    labels = {
        str(name): int(number) for number, name in model.transformers_model.config.id2label.items()
    }
    shown = ", ".join(labels)
    if config.label is not None:
        if len(labels) < 2 or config.label not in labels:
            raise ConfigError(
                f"the model must have this label and at least one other; got {config.label!r}, but "
                f"the model {config.model!r} has the labels {shown}",
                field="label",
            )
        return labels[config.label]
    found = [number for name, number in labels.items() if name.lower() in ENTAILMENT]
    if len(labels) < 2 or len(found) != 1:
        raise ConfigError(
            f"{config.model!r} has no label for entailment (its labels: {shown}); use a model for "
            "natural language inference, or set `label` to the label that means entailment",
            field="model",
        )
    return found[0]


def _limit(model: Any, config: EntailmentConfig) -> int:
    own = model.max_seq_length
    positions = getattr(model.transformers_model.config, "max_position_embeddings", None)
    if positions is not None:
        own = min(own or positions, positions)
    if own is None or own > UNLIMITED:
        own = 512
    least = model.tokenizer.num_special_tokens_to_add(pair=True) + 2
    if config.max_length is not None and not least <= config.max_length <= own:
        raise ConfigError(
            f"must be between {least} and {own} (the limit of {config.model!r}), got "
            f"{config.max_length}",
            field="max_length",
        )
    return int(config.max_length or own)
