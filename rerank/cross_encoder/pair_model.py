"""Pairs of texts through a sentence-transformers CrossEncoder, batched by length."""

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
"""Logits of the probe that differ by less are the same, up to float32."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A query and a passage as tokens with the model's markup.

    types: of the tokens, where the model tells segments apart by them. room: tokens that the
    passage may have beside its query; below 1 nothing of it can be read. truncated: the passage's
    end is not there.
    """

    ids: Sequence[int]
    types: Sequence[int] | None
    room: int
    truncated: bool


class PairModel:
    """A cross-encoder with one label. Thread-safe: one batch runs at a time."""

    def __init__(
        self, model: Any, config: CrossEncoderConfig, shared: SharedModel | None = None
    ) -> None:
        """shared: what `model` is a view of; None = its weights are its own."""
        self.model = model
        self.config = config
        self.device = model.device
        self.tokenizer: Any = getattr(model, "tokenizer", None)
        self._tokenizing = Lock() if shared is None else shared.tokenizing
        self._running = Lock()
        if not getattr(self.tokenizer, "is_fast", False):
            raise ModelError("only cross-encoders with a fast tokenizer can be used here")
        if model.num_labels != 1:
            raise ConfigError(
                f"{config.model!r} gives {model.num_labels} labels: it classifies; a reranker "
                "needs a cross-encoder with one",
                field="model",
            )
        self.max_length = self._limit()
        self._probe()
        if config.precision == "int8":
            if self.device.type != "cpu":
                raise ConfigError("int8 runs on processors only", field="precision")
            quantise(_transformer(model))
            shared = None  # Its weights in float32 are needed no more.
        self._shared = shared

    @classmethod
    def load(cls, config: CrossEncoderConfig) -> Self:
        """Raises ModelError when the model cannot be found, read or used, ConfigError for what it
        cannot do."""
        folder = find_weights(config.model, revision=config.revision)
        with loading(config.model, folder):
            shared = shared_model(CrossEncoder, folder, pick_device(config.device))
            return cls(shared.view(), config, shared)

    def tokenize(self, queries: Sequence[str], texts: Sequence[str]) -> list[Pair]:
        """Pairs as the model reads them. Raises InvalidInputError for text that is not Unicode."""
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
        """Scores and logits, float32 [n] each."""
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
        """The input of the model: padded tokens, their types and mask, each [n, longest]."""
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
        """Tokens of a pair. The model is tried with more than it says that it reads."""
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
                f"a pair needs {least} tokens at least, for a token of each text and the markup",
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
                f"the model cannot read {length} tokens ({error})", field="max_length"
            ) from None

    def _probe(self) -> None:
        """Compare with the library's own way once: some models do more than read two texts."""
        pair = self.tokenize([PROBE[0]], [PROBE[1]])
        if pair[0].room < 1 or pair[0].truncated:
            return  # The library cuts another text.
        identity = torch.nn.Identity()
        with self._tokenizing, quiet():
            expected = self.model.predict([PROBE], activation_fn=identity, show_progress_bar=False)
        features = self.features(pair)
        with torch.inference_mode():
            own = float(self.model(features)["scores"].float().reshape(-1)[0])
        if not abs(own - float(expected[0])) <= SAME * max(1.0, abs(own)):
            raise ModelError(
                f"model {self.config.model!r} reads pairs in a way of its own that is not supported"
            )


def _transformer(model: Any) -> Any:
    """The network of transformers inside."""
    return model.transformers_model
