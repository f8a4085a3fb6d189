"""The models behind TILDEv2: what weighs a token where it stands, and what expands a passage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from transformers import AutoModel, AutoModelForMaskedLM

from ...core import ModelError
from ...llm import find_weights
from ...llm.batching import batches, mask, pad
from ...llm.local.pretrained import FAILURES, Pretrained, load_pretrained
from ..sparse.encoder import CHUNK, HEADS
from ..text_model import BUDGET
from .config import TildeEncoderConfig

PROJECTION = "tok_proj"
"""Of TILDEv2's own weights, the layer from a state to a weight."""

FIRST = 1
"""The token that TILDE reads in the place of [CLS] before a passage: [unused0] of BERT."""
FIRST_TOKENS = 128
"""Tokens of a passage that TILDE reads, special ones included."""

Tokens = Sequence[int]


class _Model:
    """A model of transformers that weighs each token of a text where it stands. Thread-safe.

    `weigh` yields places of some texts, longest first, and float32 [n, longest]: the weight of each
    of their tokens, what is behind the end of a text included.
    """

    def __init__(self, parts: Pretrained) -> None:
        self._shared = parts.shared
        self._model = parts.model
        self._device = parts.device
        self._pad = parts.tokenizer.pad_token or 0
        self._running = Lock()

    def _batches(self, texts: Sequence[Tokens]) -> Iterator[tuple[NDArray[np.int64], Any, Any]]:
        """Places, tokens and attention mask of some texts."""
        for rows in batches([len(text) for text in texts], BUDGET[self._device.type]):
            own = [texts[row] for row in rows]
            ids = pad(own, fill=self._pad, side="right")
            seen = mask([len(text) for text in own], side="right")
            yield (
                rows,
                torch.from_numpy(ids).to(self._device),
                torch.from_numpy(seen).to(self._device),
            )


class TrainedWeights(_Model):
    """TILDEv2 as published: w = relu(W h + b) of the last hidden state h of the token."""

    def __init__(self, parts: Pretrained, weight: torch.Tensor, bias: torch.Tensor) -> None:
        super().__init__(parts)
        self._weight = weight.to(parts.device, torch.float32).reshape(-1)
        self._bias = bias.to(parts.device, torch.float32)
        width = int(parts.model.config.hidden_size)
        if self._weight.shape != (width,) or self._bias.numel() != 1:
            raise ModelError(
                f"model {parts.name!r}: {PROJECTION} is not from {width} numbers to one"
            )

    def weigh(self, texts: Sequence[Tokens]) -> Iterator[tuple[NDArray[np.int64], Any]]:
        """See `_Model`."""
        for rows, ids, seen in self._batches(texts):
            with self._running, torch.inference_mode():
                states = self._model(input_ids=ids, attention_mask=seen).last_hidden_state.float()
                weights = torch.relu(states @ self._weight + self._bias)
            yield rows, weights.cpu().numpy()


class HeadWeights(_Model):
    """A masked language model or SPLADE: w = log(1 + relu(z)), z the logit of a token itself at
    its own place. It also expands."""

    def __init__(self, parts: Pretrained) -> None:
        super().__init__(parts)
        place = HEADS.get(type(parts.model).__name__)
        if place is None or not isinstance(
            head := parts.model.get_submodule(place), torch.nn.Linear
        ):
            able = ", ".join(sorted(HEADS))
            raise ModelError(
                f"model {parts.name!r} is {type(parts.model).__name__}, whose language-model head "
                f"is not known here; known: {able}"
            )
        parts.model.set_submodule(place, torch.nn.Identity())
        self._weight = head.weight.detach()  # In its own arithmetic, as others share it.
        zeros = torch.zeros(len(head.weight), device=parts.device)
        self._bias = zeros if head.bias is None else head.bias.detach().float()

    def weigh(self, texts: Sequence[Tokens]) -> Iterator[tuple[NDArray[np.int64], Any]]:
        """See `_Model`."""
        for rows, ids, seen in self._batches(texts):
            with self._running, torch.inference_mode():
                states = self._model(input_ids=ids, attention_mask=seen).logits.float()
                own = (states * self._weight[ids].float()).sum(dim=-1) + self._bias[ids]
                weights = own.relu_().log1p_()
            yield rows, weights.cpu().numpy()

    def likely(self, texts: Sequence[Tokens], top: int, reading: str) -> list[NDArray[np.int64]]:
        """The `top` likeliest tokens of each text, likeliest first.

        texts: with the special tokens around them. reading: "first", where TILDE was trained to put
        them, or "max", the greatest logit at any place, as SPLADE reads it.
        """
        if reading == "first":
            texts = [[FIRST, *text[1:-1][: FIRST_TOKENS - 2], text[-1]] for text in texts]
        found: list[NDArray[np.int64]] = [np.empty(0, np.int64)] * len(texts)
        for rows, ids, seen in self._batches(texts):
            with self._running, torch.inference_mode():
                states = self._model(input_ids=ids, attention_mask=seen).logits.float()
                for row, tokens, real in zip(rows.tolist(), states, seen.bool(), strict=True):
                    read = tokens[:1] if reading == "first" else tokens[real]
                    logits = self._greatest(read)
                    order = torch.topk(logits, min(top, len(logits))).indices
                    found[row] = order.cpu().numpy().astype(np.int64)
        return found

    def _greatest(self, states: torch.Tensor) -> torch.Tensor:
        """The greatest logit of each token of the vocabulary: float32 [vocabulary]."""
        chunk = CHUNK if states.device.type == "cpu" else len(self._weight)
        parts = [
            (states @ self._weight[begin : begin + chunk].float().T).amax(dim=0)
            for begin in range(0, len(self._weight), chunk)
        ]
        return torch.cat(parts) + self._bias


def trained_projection(name: str, revision: str | None) -> dict[str, torch.Tensor] | None:
    """TILDEv2's own layer in the weights of a model; None where it has none.

    Raises ModelError for weights that cannot be read.
    """
    folder = find_weights(name, revision=revision)
    wanted = {f"{PROJECTION}.weight", f"{PROJECTION}.bias"}
    try:
        found = _read(folder, wanted)
    except FAILURES as error:
        raise ModelError(f"model {name!r} in {folder} cannot be read: {error}") from error
    if found and set(found) != wanted:
        raise ModelError(f"model {name!r}: has {', '.join(found)} but not {', '.join(wanted)}")
    return found or None


def _read(folder: Path, wanted: set[str]) -> dict[str, torch.Tensor]:
    """The tensors of these names."""
    safe = folder / "model.safetensors"
    if not safe.is_file():
        return {}
    with safe_open(str(safe), "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys() if key in wanted}  # noqa: SIM118


class _WithHead:
    """AutoModelForMaskedLM, but for folders without a head, which it would fill with chance."""

    @staticmethod
    def from_pretrained(folder: Path, **options: Any) -> Any:
        model, told = AutoModelForMaskedLM.from_pretrained(
            folder, output_loading_info=True, **options
        )
        if missing := sorted(told["missing_keys"]):
            raise ValueError(f"it has no language-model head: no weights for {missing[0]}")
        return model


def load_weigher(
    config: TildeEncoderConfig, projection: dict[str, torch.Tensor] | None
) -> TrainedWeights | HeadWeights:
    """The model of a configuration; `projection` as `trained_projection` found it."""
    options: Any = {
        "revision": config.revision,
        "precision": config.precision,
        "device": config.device,
    }
    if projection is None:
        return HeadWeights(load_pretrained(_WithHead, config.model, **options))
    parts = load_pretrained(AutoModel, config.model, **options)
    return TrainedWeights(
        parts, projection[f"{PROJECTION}.weight"], projection[f"{PROJECTION}.bias"]
    )


def load_expander(config: TildeEncoderConfig) -> HeadWeights:
    """The model of `expansion_model`."""
    assert config.expansion_model is not None, "else the weigher expands"
    return HeadWeights(
        load_pretrained(
            _WithHead,
            config.expansion_model,
            precision=config.precision,
            device=config.device,
        )
    )
