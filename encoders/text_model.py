"""Loading sentence-transformers models and feeding them tokenised batches.

The dense, late-interaction and sparse encoders use this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..core import ConfigError, ModelError, Role
from ..core.config import Precision
from ..core.unicode import unicode_errors
from ..llm import find_weights
from ..llm.batching import batches, mask, pad
from ..llm.local.pretrained import loading, pick_device, quiet
from ..llm.turns import Turns
from ..llm.weights.shared import SharedModel, freed_at_once, share
from .dense.config import DenseEncoderConfig
from .late.config import LateEncoderConfig
from .protocol import TokenReader
from .sparse.config import SparseEncoderConfig

BUDGET = {"cpu": 1_536, "cuda": 65_536}
"""Device -> maximum number of tokens in a batch, including padding.

Measured with benchmarks/speed/encode.py.
"""

WINDOW = 1_024
"""Number of texts that are tokenised and sorted by length together."""

TOKENIZER_BATCH = 64
"""Number of texts that are tokenised in one call. Between two calls, a waiting query can use the
tokenizer. So the query waits at most 0.1 s, and not 1 s as for a whole window."""

Config = DenseEncoderConfig | SparseEncoderConfig | LateEncoderConfig

UNLIMITED = 1_000_000
"""Limits above this number mean "no limit". Tokenizers without a limit have a huge one."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of tokenised texts.

    rows:      positions of these texts in the list of all texts to encode.
    features:  the model's input.
    truncated: for each text, True if it has more tokens than the model reads.
    """

    rows: NDArray[np.int64]
    features: dict[str, Any]
    truncated: NDArray[np.bool_]


class TextModel:
    """A sentence-transformers model of any kind whose input is tokens. Thread-safe.

    Models with equal weights share them in memory, see `twindex.llm.weights.shared`.
    """

    def __init__(
        self,
        model: Any,
        name: str,
        shared: SharedModel,
        max_length: int | None,
        field: str = "max_length",
    ) -> None:
        """Create a text model. Usually `load` is called instead.

        model:      the model that runs: a view of `shared`, or a model built from such a view.
        name:       the model's name in the configuration.
        shared:     the loaded model whose weights and tokenizer `model` uses.
        max_length: maximum number of tokens read of a text. None: the model's own limit.
        field:      configuration field of `max_length`, for errors.

        Raises ModelError for a model without a fast tokenizer, and ConfigError if the model cannot
        read `max_length` tokens.
        """
        self.model = model
        self.name = name
        self.digest = shared.digest
        self._shared = shared
        self.device = model.device
        """The device that the model runs on."""
        self.tokenizing = shared.tokenizing
        """The tokenizer's lock. Hold it for each call: its truncation is mutable state."""
        self._budget = BUDGET[self.device.type]
        self._turns = Turns()
        self.tokenizer: Any = getattr(model, "tokenizer", None)
        if not getattr(self.tokenizer, "is_fast", False) or not hasattr(model[0], "auto_model"):
            raise ModelError(
                f"the first module of model {name!r} must be a transformer with a fast tokenizer, "
                f"got {type(model[0]).__name__}: choose another model"
            )
        own_limit = model.max_seq_length
        if own_limit is not None and own_limit > UNLIMITED:
            own_limit = getattr(model[0].auto_model.config, "max_position_embeddings", None)
        self.max_length: int | None = max_length or own_limit
        if max_length is not None:
            if own_limit is None or max_length > own_limit:
                self._check_length(max_length, field)
            model.max_seq_length = max_length

    @classmethod
    def load(
        cls, kind: Any, config: Config, change: Callable[[Any], Any] | None = None
    ) -> TextModel:
        """Find and load a model. If its weights are already in memory, they are shared.

        kind:   the class SentenceTransformer, SparseEncoder or MultiVectorEncoder.
        config: configuration of the encoder. It names the model, its revision and its device.
        change: function that converts the loaded model to the model that runs. None: no conversion.

        Raises ModelError if the model cannot be found or read, and ConfigError for options that the
        model does not support.
        """
        folder = find_weights(config.model, revision=config.revision)
        with loading(config.model, folder):
            shared = shared_model(kind, folder, pick_device(config.device))
            model = shared.view()
            if change is not None:
                with shared.tokenizing, quiet():
                    model = freed_at_once(change(model).eval())
        if isinstance(config, LateEncoderConfig):
            return cls(model, config.model, shared, config.document_length, "document_length")
        return cls(model, config.model, shared, config.max_length)

    @contextmanager
    def trying(self) -> Iterator[None]:
        """Return a context that converts failures of the model's first run to a ModelError.

        Weights of a wrong shape are loaded without an error, and fail only when the model runs.
        """
        with loading(self.name, Path(self.name)):
            yield

    def fingerprint(self, config: Config) -> dict[str, Any]:
        """Return everything that determines the model's output, as a JSON object.

        The pooling has no entry of its own. It is stored in the model's folder, so the digest of
        the weights covers it.
        """
        return {
            **config.model_dump(exclude={"revision", "device"}),
            "model": Path(self.name).name,  # The folder does not change the output.
            "max_length": self.max_length,
            "weights": self.digest,
        }

    @contextmanager
    def running(self, precision: Precision, role: Role = "query") -> Iterator[None]:
        """Return a context in which the caller may run the model, with the given precision.

        Only one thread at a time can be inside this context. Queries go before documents.
        """
        reduced = precision == "bfloat16"
        with (
            self._turns.turn(urgent=role == "query"),
            torch.inference_mode(),
            torch.autocast(self.device.type, torch.bfloat16, enabled=reduced),
        ):
            yield

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text without truncation, with special tokens."""
        lengths: list[int] = []
        for first in range(0, len(texts), TOKENIZER_BATCH):
            with self.tokenizing, unicode_errors(texts):
                found = self.tokenizer(
                    list(texts[first : first + TOKENIZER_BATCH]),
                    truncation=False,
                    padding=False,
                    return_attention_mask=False,
                    verbose=False,
                )
            lengths += map(len, found["input_ids"])
        return lengths

    def reader(self, prompt: str = "") -> TokenReader | None:
        """Return a token counter for cutting documents into passages. None: the model has no limit.

        prompt: text that is put before each document. Its tokens are counted too.
        """

        def lengths(texts: Sequence[str]) -> list[int]:
            return self.lengths([prompt + text for text in texts])

        return None if self.max_length is None else TokenReader(self.max_length, lengths)

    def batches(self, texts: Sequence[str], prompt: str = "") -> Iterator[Batch]:
        """Tokenise the texts and yield them in batches of similar length.

        prompt: text that is put before each of the texts.
        """
        prompt_length = len(self._prompt_ids(prompt)) if prompt else 0
        for start in range(0, len(texts), WINDOW):
            window = texts[start : start + WINDOW]
            columns, cut = self._tokenize([prompt + text for text in window], start)
            lengths = [len(ids) for ids in columns["input_ids"]]
            for rows in batches(lengths, self._budget):
                chosen = {name: [ids[row] for row in rows] for name, ids in columns.items()}
                features = padded(self.tokenizer, chosen, self.device)
                if prompt:  # Some models exclude the prompt from mean pooling.
                    features["prompt_length"] = prompt_length
                yield Batch(rows + start, features, cut[rows])

    def _tokenize(
        self, texts: Sequence[str], start: int
    ) -> tuple[dict[str, list[list[int]]], NDArray[np.bool_]]:
        columns: dict[str, list[list[int]]] = {}
        cut: list[bool] = []
        for first in range(0, len(texts), TOKENIZER_BATCH):
            with self.tokenizing, unicode_errors(texts, start):
                found = self.tokenizer(
                    texts[first : first + TOKENIZER_BATCH],
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
        """Return the prompt's tokens, without the special token at the end."""
        columns, _ = self._tokenize([prompt], 0)
        ids = columns["input_ids"][0]
        return ids[:-1] if ids and ids[-1] in self.tokenizer.all_special_ids else ids

    def _check_length(self, length: int, field: str) -> None:
        """Run the model on `length` tokens. Raise ConfigError for `field` if the model fails."""
        ids = torch.full((1, length), self.tokenizer.pad_token_id or 0, device=self.device)
        features = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "modality": "text"}
        try:
            with torch.inference_mode():
                self.model(features)
        except (IndexError, RuntimeError) as error:
            raise ConfigError(
                f"model {self.name!r} cannot read {length} tokens ({error}): choose a smaller "
                f"{field}",
                field=field,
            ) from None


def shared_model(kind: Any, folder: Path, device: str) -> SharedModel:
    """Return the sentence-transformers model in `folder`. Load it unless it is in memory already.

    kind: the model's class, such as SentenceTransformer.
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
    """Return a model's input: padded tokens, token types if there are any, and the attention mask.

    Each value is a tensor [texts, tokens of the longest text].

    columns: "input_ids" and possibly "token_type_ids" -> for each text, one id for each token.
    """
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
