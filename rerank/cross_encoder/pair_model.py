"""Scores pairs of a query and a passage with a sentence-transformers CrossEncoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
from ...llm.local.int8 import quantise
from ...llm.local.pretrained import loading, pick_device, quiet
from ...llm.weights.shared import SharedModel
from .config import CrossEncoderConfig

PROBE = ("What is a probe?", "A probe is a text that is read to try the model.")
SAME = 1e-3
"""Relative tolerance for comparing float32 logits with those of sentence-transformers."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A query and a passage as tokens.

    ids:       token ids, including the model's special tokens.
    types:     token types (query or passage); None if the model does not use them.
    room:      number of tokens that the query leaves for a passage. Below 1, no passage fits.
    truncated: True if the passage was cut.
    """

    ids: Sequence[int]
    types: Sequence[int] | None
    room: int
    truncated: bool


class PairModel:
    """A cross-encoder with one output label. Thread-safe: one batch runs at a time."""

    def __init__(
        self, model: Any, config: CrossEncoderConfig, shared: SharedModel | None = None
    ) -> None:
        """Check a loaded model and prepare it for the options of `config`.

        model:  a CrossEncoder of sentence-transformers.
        shared: the SharedModel whose weights `model` uses; None: `model` has its own weights.

        Raises ModelError or ConfigError for a model or an option that is not supported.
        """
        self.model = model
        self.config = config
        self.device = model.device
        self.tokenizer: Any = getattr(model, "tokenizer", None)
        self._tokenizing = Lock() if shared is None else shared.tokenizing
        self._running = Lock()
        if not getattr(self.tokenizer, "is_fast", False):
            raise ModelError(
                f"model {config.model!r} has no fast tokenizer; use a cross-encoder that has one"
            )
        if model.num_labels != 1:
            raise ConfigError(
                f"{config.model!r} is a classifier with {model.num_labels} labels; a reranker "
                "requires a cross-encoder with one label",
                field="model",
            )
        self.max_length = self._limit()
        self._probe()
        if config.precision == "int8":
            if self.device.type != "cpu":
                raise ConfigError(
                    "int8 runs only on the CPU; use bfloat16 on CUDA", field="precision"
                )
            quantise(_transformer(model))
            shared = None  # The shared float32 weights are no longer needed.
        self._shared = shared

    @classmethod
    def load(cls, config: CrossEncoderConfig) -> Self:
        """Load the model of a configuration.

        Raises ModelError if the model cannot be found, read or used, and ConfigError for an option
        that the model does not support.
        """
        folder = find_weights(config.model, revision=config.revision)
        with loading(config.model, folder):
            shared = shared_model(CrossEncoder, folder, pick_device(config.device))
            return cls(shared.view(), config, shared)

    def tokenize(self, queries: Sequence[str], texts: Sequence[str]) -> list[Pair]:
        """Return a Pair for each query and the text at the same position. Texts may be cut to fit.

        Raises InvalidInputError for text that is not valid Unicode.
        """
        if not texts:
            return []
        markup = self.tokenizer.num_special_tokens_to_add(pair=True)
        known = {query: len(ids) for query, ids in self._query_lengths(queries)}
        rooms = [self.max_length - known[query] - markup for query in queries]
        found: list[Pair | None] = [None] * len(texts)
        fits = [i for i, room in enumerate(rooms) if room >= 1]
        if fits:
            columns, cut = self._encode([queries[i] for i in fits], [texts[i] for i in fits])
            types = columns.get("token_type_ids")
            for place, i in enumerate(fits):
                found[i] = Pair(
                    columns["input_ids"][place],
                    None if types is None else types[place],
                    rooms[i],
                    cut[place],
                )
        return [
            pair or Pair(range(known[query] + markup), None, room, True)
            for pair, query, room in zip(found, queries, rooms, strict=True)
        ]

    def read(self, pairs: Sequence[Pair]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the scores of n pairs, and the logits before the activation: both float32 [n]."""
        logits = np.empty(len(pairs), np.float32)
        for rows in batches([len(pair.ids) for pair in pairs], BUDGET[self.device.type]):
            logits[rows] = self._logits([pairs[row] for row in rows])
        scores = self.model.activation_fn(torch.from_numpy(logits.copy()))
        return scores.numpy(), logits

    def _logits(self, pairs: Sequence[Pair]) -> NDArray[np.float32]:
        features = self.features(pairs)
        reduced = self.config.precision == "bfloat16"
        with (
            self._running,
            torch.inference_mode(),
            torch.autocast(self.device.type, torch.bfloat16, enabled=reduced),
        ):
            scores = self.model(features)["scores"]
            found: NDArray[np.float32] = scores.float().reshape(-1).cpu().numpy()
        return found

    def features(self, pairs: Sequence[Pair]) -> dict[str, Any]:
        """Return the model's input: token ids, types and attention mask.

        Each value is a padded tensor [pairs, tokens of the longest pair].
        """
        columns = {"input_ids": [pair.ids for pair in pairs]}
        if pairs[0].types is not None:
            columns["token_type_ids"] = [pair.types or () for pair in pairs]
        return padded(self.tokenizer, columns, self.device)

    def _query_lengths(self, queries: Sequence[str]) -> list[tuple[str, Sequence[int]]]:
        unique = list(dict.fromkeys(queries))
        with self._tokenizing, unicode_errors(unique):
            found = self.tokenizer(
                unique, add_special_tokens=False, truncation=False, verbose=False
            )
        return list(zip(unique, found["input_ids"], strict=True))

    def _encode(
        self, queries: Sequence[str], texts: Sequence[str]
    ) -> tuple[dict[str, Any], list[bool]]:
        # The tokenizer keeps its truncation as state and cannot be shared by threads.
        with self._tokenizing, unicode_errors(texts):
            found = self.tokenizer(
                list(queries),
                list(texts),
                truncation="only_second",
                max_length=self.max_length,
                return_attention_mask=False,
                verbose=False,
            )
        return dict(found), [bool(encoding.overflowing) for encoding in found.encodings]

    def _limit(self) -> int:
        """Return the maximum number of tokens of a pair.

        If the configured `max_length` exceeds the model's own limit, tries the model with a pair of
        this length. Raises ConfigError if `max_length` is too small or too large.
        """
        own = self.model.max_seq_length
        positions = getattr(_transformer(self.model).config, "max_position_embeddings", None)
        if positions is not None:
            own = min(own or positions, positions)
        if own is not None and own > UNLIMITED:
            own = None
        asked = self.config.max_length
        limit = int(asked or own or 512)
        least = self.tokenizer.num_special_tokens_to_add(pair=True) + 2
        if limit < least:
            raise ConfigError(
                f"must be at least {least} (one token of the query, one of the passage, and the "
                f"special tokens), got {limit}",
                field="max_length",
            )
        if asked is not None and (own is None or asked > own):
            self._try_length(asked)
        return limit

    def _try_length(self, length: int) -> None:
        pair = Pair([self.tokenizer.pad_token_id or 0] * length, None, 1, False)
        try:
            self._logits([pair])
        except (IndexError, RuntimeError) as error:
            raise ConfigError(
                f"model {self.config.model!r} cannot read {length} tokens ({error}); use a lower "
                "value",
                field="max_length",
            ) from None

    def _probe(self) -> None:
        """Check that one score equals that of `CrossEncoder.predict` of sentence-transformers.

        Some models require another input format, and then the scores differ: raises ModelError.
        """
        pair = self.tokenize([PROBE[0]], [PROBE[1]])
        if pair[0].room < 1 or pair[0].truncated:
            return  # The library cuts texts in a different way.
        identity = torch.nn.Identity()
        with self._tokenizing, quiet():
            expected = self.model.predict([PROBE], activation_fn=identity, show_progress_bar=False)
        features = self.features(pair)
        with torch.inference_mode():
            own = float(self.model(features)["scores"].float().reshape(-1)[0])
        if not abs(own - float(expected[0])) <= SAME * max(1.0, abs(own)):
            raise ModelError(
                f"model {self.config.model!r} is not supported, because its scores differ from "
                "those of CrossEncoder.predict; use another cross-encoder"
            )


def _transformer(model: Any) -> Any:
    """Return the `transformers` model inside a CrossEncoder of sentence-transformers."""
    return model.transformers_model
