"""What the dense and the sparse encoder share: loading a sentence-transformers model quietly, and
feeding it tokenised batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..core import ConfigError, ModelError
from ..core.config import Precision
from ..core.unicode import telling_unicode
from ..llm import find_weights
from ..llm.batching import batches, mask, pad
from ..llm.local.pretrained import loading, pick_device, quiet
from ..llm.weights.shared import SharedModel, freed_at_once, share
from .dense.config import DenseEncoderConfig
from .late.config import LateEncoderConfig
from .protocol import TokenReader
from .sparse.config import SparseEncoderConfig

BUDGET = {"cpu": 1_536, "cuda": 65_536}
"""Padded tokens in a batch, by device; measured with benchmarks/speed/encode.py."""

WINDOW = 1_024
"""Texts tokenised, and sorted by length, together."""

TURN = 64
"""Texts tokenised at once. A query that waits for the same tokenizer then has its turn, after 0.1 s
instead of the 1 s that a window takes."""

Config = DenseEncoderConfig | SparseEncoderConfig | LateEncoderConfig

UNLIMITED = 1_000_000
"""Tokenizers without a limit say so by a huge number."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Positions of some texts, the model's input for them, and which of them were cut."""

    rows: NDArray[np.int64]
    features: dict[str, Any]
    truncated: NDArray[np.bool_]


class TextModel:
    """A sentence-transformers model of any kind whose input is tokens. Thread-safe.

    Models of the same weights share them, see `twindex.llm.weights.shared`.
    """

    def __init__(self, model: Any, name: str, shared: SharedModel, max_length: int | None) -> None:
        """model: a view of `shared`, or made of one."""
        self.model = model
        self.name = name
        self.digest = shared.digest
        self._shared = shared
        self.device = model.device
        """Where the model is."""
        self.tokenizing = shared.tokenizing
        """The tokenizer may be called under this lock: it keeps its truncation as state."""
        self._budget = BUDGET[self.device.type]
        self._running = Lock()
        self.tokenizer: Any = getattr(model, "tokenizer", None)
        if not getattr(self.tokenizer, "is_fast", False) or not hasattr(model[0], "auto_model"):
            raise ModelError(
                "only transformer models with a fast tokenizer can be used here; "
                f"this one begins with {type(model[0]).__name__}"
            )
        own_limit = model.max_seq_length
        if own_limit is not None and own_limit > UNLIMITED:
            own_limit = getattr(model[0].auto_model.config, "max_position_embeddings", None)
        self.max_length: int | None = max_length or own_limit
        if max_length is not None:
            if own_limit is None or max_length > own_limit:
                self._check_length(max_length)
            model.max_seq_length = max_length

    @classmethod
    def load(
        cls, kind: Any, config: Config, change: Callable[[Any], Any] | None = None
    ) -> TextModel:
        """Find and load a model, or share the weights of one that is in use.

        kind: SentenceTransformer, SparseEncoder or MultiVectorEncoder. change: makes the model that
        is used of a view of what was loaded. Raises ModelError when it cannot be found or read,
        ConfigError for what it cannot do.
        """
        folder = find_weights(config.model, revision=config.revision)
        with loading(config.model, folder):
            shared = shared_model(kind, folder, pick_device(config.device))
            model = shared.view()
            if change is not None:
                with shared.tokenizing, quiet():
                    model = freed_at_once(change(model).eval())
        if isinstance(config, LateEncoderConfig):
            max_length = config.document_length
        else:
            max_length = config.max_length
        return cls(model, config.model, shared, max_length)

    @contextmanager
    def trying(self) -> Iterator[None]:
        """The first texts are read inside; weights that do not fit show there: ModelError."""
        with loading(self.name, Path(self.name)):
            yield

    def fingerprint(self, config: Config) -> dict[str, Any]:
        """What decides the values. The digest covers pooling, which is a file of the model."""
        return {
            **config.model_dump(exclude={"revision", "device"}),
            "model": Path(self.name).name,  # the same model in another folder is the same
            "max_length": self.max_length,
            "weights": self.digest,
        }

    @contextmanager
    def running(self, precision: Precision) -> Iterator[None]:
        """The model may be called inside, by one thread at a time."""
        reduced = precision == "bfloat16"
        with (
            self._running,
            torch.inference_mode(),
            torch.autocast(self.device.type, torch.bfloat16, enabled=reduced),
        ):
            yield

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text if none were cut, special tokens included."""
        lengths: list[int] = []
        for first in range(0, len(texts), TURN):
            with self.tokenizing, telling_unicode(texts):
                found = self.tokenizer(
                    list(texts[first : first + TURN]),
                    truncation=False,
                    padding=False,
                    return_attention_mask=False,
                    verbose=False,
                )
            lengths += map(len, found["input_ids"])
        return lengths

    def reader(self, prompt: str = "") -> TokenReader | None:
        """What cutting by tokens needs; None for a model without a limit."""

        def lengths(texts: Sequence[str]) -> list[int]:
            return self.lengths([prompt + text for text in texts])

        return None if self.max_length is None else TokenReader(self.max_length, lengths)

    def batches(self, texts: Sequence[str], prompt: str = "") -> Iterator[Batch]:
        """Tokenise the texts once and yield them in batches of similar length."""
        prompt_length = len(self._prompt_ids(prompt)) if prompt else 0
        for start in range(0, len(texts), WINDOW):
            window = texts[start : start + WINDOW]
            columns, cut = self._tokenize([prompt + text for text in window], start)
            lengths = [len(ids) for ids in columns["input_ids"]]
            for rows in batches(lengths, self._budget):
                chosen = {name: [ids[row] for row in rows] for name, ids in columns.items()}
                features = padded(self.tokenizer, chosen, self.device)
                if prompt:  # some models leave the prompt out of the mean
                    features["prompt_length"] = prompt_length
                yield Batch(rows + start, features, cut[rows])

    def _tokenize(
        self, texts: Sequence[str], start: int
    ) -> tuple[dict[str, list[list[int]]], NDArray[np.bool_]]:
        columns: dict[str, list[list[int]]] = {}
        cut: list[bool] = []
        for first in range(0, len(texts), TURN):
            with self.tokenizing, telling_unicode(texts, start):
                found = self.tokenizer(
                    texts[first : first + TURN],
                    truncation=self.max_length is not None,
                    max_length=self.max_length,
                    return_attention_mask=False,
                    verbose=False,
                )
            for name, rows in found.items():
                columns.setdefault(name, []).extend(rows)
            cut += [bool(encoding.overflowing) for encoding in found.encodings]
        return columns, np.array(cut, np.bool_)

    def _prompt_ids(self, prompt: str) -> list[int]:
        """The prompt's tokens, without the special token at the end."""
        columns, _ = self._tokenize([prompt], 0)
        ids = columns["input_ids"][0]
        return ids[:-1] if ids and ids[-1] in self.tokenizer.all_special_ids else ids

    def _check_length(self, length: int) -> None:
        """Run the model on a text of this many tokens: what it cannot do, it cannot do now."""
        ids = torch.full((1, length), self.tokenizer.pad_token_id or 0, device=self.device)
        features = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "modality": "text"}
        try:
            with torch.inference_mode():
                self.model(features)
        except (IndexError, RuntimeError) as error:
            raise ConfigError(
                f"the model cannot read {length} tokens ({error})", field="max_length"
            ) from None


def shared_model(kind: Any, folder: Path, device: str) -> SharedModel:
    """A model of sentence-transformers of these weights, loaded now or in use already.

    kind: its class.
    """

    def load() -> tuple[Any, Any]:
        options: Any = {
            "local_files_only": True,
            "trust_remote_code": False,
            "model_kwargs": {"use_safetensors": True},
        }
        with quiet():
            model = kind(str(folder), device=device, **options).eval()
        return model, getattr(model, "tokenizer", None)

    return share(kind.__name__, folder, device, load)


def padded(
    tokenizer: Any, columns: Mapping[str, Sequence[Sequence[int]]], device: Any
) -> dict[str, Any]:
    """The input of a model: padded tokens, their types if they have any, and the mask, each
    [n, longest]."""
    side = tokenizer.padding_side
    fills = {
        "input_ids": tokenizer.pad_token_id or 0,
        "token_type_ids": tokenizer.pad_token_type_id,
    }
    arrays = {
        name: pad(columns[name], fill=fill, side=side)
        for name, fill in fills.items()
        if name in columns
    }
    arrays["attention_mask"] = mask(list(map(len, columns["input_ids"])), side=side)
    features: dict[str, Any] = {
        name: torch.from_numpy(array).to(device) for name, array in arrays.items()
    }
    return {**features, "modality": "text"}
