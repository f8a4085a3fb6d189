"""The models of TILDEv2: those that weight a passage's tokens, and those that expand a passage."""

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
"""Name of the layer in TILDEv2's weights that maps a state to a weight."""

FIRST = 1
"""Id of the token [unused0] of BERT. TILDE puts this token before a passage instead of [CLS]."""
FIRST_TOKENS = 128
"""Number of tokens of a passage that TILDE reads, including special tokens."""

Tokens = Sequence[int]


class _Model:
    """A transformers model that weights each token of a text at its position. Thread-safe.

    `weigh` yields (positions, weights) for each batch of n texts, longest texts first. `positions`
    are the positions of these texts in the input of `weigh`. `weights` is float32 [n, tokens of the
    longest text]. Padding has weights too; ignore them.
    """

    def __init__(self, parts: Pretrained) -> None:
        self._shared = parts.shared
        self._model = parts.model
        self._device = parts.device
        self._pad = parts.tokenizer.pad_token or 0
        self._running = Lock()

    def _batches(self, texts: Sequence[Tokens]) -> Iterator[tuple[NDArray[np.int64], Any, Any]]:
        """Yield the positions in `texts`, padded tokens and attention mask of each batch."""
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
    """Weights from a model trained as TILDEv2: w = relu(W h + b).

    h is the token's last hidden state. W and b are the layer `tok_proj`.
    """

    def __init__(self, parts: Pretrained, weight: torch.Tensor, bias: torch.Tensor) -> None:
        super().__init__(parts)
        self._weight = weight.to(parts.device, torch.float32).reshape(-1)
        self._bias = bias.to(parts.device, torch.float32)
        width = int(parts.model.config.hidden_size)
        if self._weight.shape != (width,) or self._bias.numel() != 1:
            raise ModelError(
                f"layer {PROJECTION} of model {parts.name!r} must have {width} weights and 1 bias, "
                f"got {self._weight.numel()} weights and {self._bias.numel()} biases: choose "
                "another model"
            )

    def weigh(self, texts: Sequence[Tokens]) -> Iterator[tuple[NDArray[np.int64], Any]]:
        """Yield positions and weights of each batch of texts. See `_Model`."""
        for rows, ids, seen in self._batches(texts):
            with self._running, torch.inference_mode():
                states = self._model(input_ids=ids, attention_mask=seen).last_hidden_state.float()
                weights = torch.relu(states @ self._weight + self._bias)
            yield rows, weights.cpu().numpy()


class HeadWeights(_Model):
    """Weights from a masked language model or SPLADE. Such a model can also expand passages.

    w = log(1 + relu(z)), where z is the logit of a token at its own position.
    """

    def __init__(self, parts: Pretrained) -> None:
        super().__init__(parts)
        path = HEADS.get(type(parts.model).__name__)
        if path is None or not isinstance(head := parts.model.get_submodule(path), torch.nn.Linear):
            supported = ", ".join(sorted(HEADS))
            raise ModelError(
                f"model {parts.name!r} has the unsupported architecture "
                f"{type(parts.model).__name__}: choose a model with the architecture {supported}"
            )
        parts.model.set_submodule(path, torch.nn.Identity())
        self._weight = head.weight.detach()  # Keep its data type: other models share it.
        zeros = torch.zeros(len(head.weight), device=parts.device)
        self._bias = zeros if head.bias is None else head.bias.detach().float()

    def weigh(self, texts: Sequence[Tokens]) -> Iterator[tuple[NDArray[np.int64], Any]]:
        """Yield positions and weights of each batch of texts. See `_Model`."""
        for rows, ids, seen in self._batches(texts):
            with self._running, torch.inference_mode():
                states = self._model(input_ids=ids, attention_mask=seen).logits.float()
                own = (states * self._weight[ids].float()).sum(dim=-1) + self._bias[ids]
                weights = own.relu_().log1p_()
            yield rows, weights.cpu().numpy()

    def likely(self, texts: Sequence[Tokens], top: int, reading: str) -> list[NDArray[np.int64]]:
        """Return the `top` likeliest tokens of each text, likeliest first.

        texts:   token ids of each text, including special tokens at both ends.
        reading: "first": logits at the first position, as TILDE was trained. "max": the greatest
                 logit at any position, as in SPLADE.
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
        """Return the greatest logit of each token of the vocabulary: float32 [vocabulary]."""
        chunk = CHUNK if states.device.type == "cpu" else len(self._weight)
        parts = [
            (states @ self._weight[begin : begin + chunk].float().T).amax(dim=0)
            for begin in range(0, len(self._weight), chunk)
        ]
        return torch.cat(parts) + self._bias


def trained_projection(name: str, revision: str | None) -> dict[str, torch.Tensor] | None:
    """Return the layer `tok_proj` of a model trained as TILDEv2. None: the model has no such layer.

    The dict has the keys "tok_proj.weight" and "tok_proj.bias". Raises ModelError for weights that
    cannot be read.
    """
    folder = find_weights(name, revision=revision)
    wanted = {f"{PROJECTION}.weight", f"{PROJECTION}.bias"}
    try:
        found = _read(folder, wanted)
    except FAILURES as error:
        raise ModelError(f"model {name!r} in {folder} cannot be read: {error}") from error
    if found and set(found) != wanted:
        raise ModelError(
            f"model {name!r} has {', '.join(found)}, but it must have all of "
            f"{', '.join(sorted(wanted))}: choose a complete model"
        )
    return found or None


def _read(folder: Path, wanted: set[str]) -> dict[str, torch.Tensor]:
    """Return the tensors of model.safetensors whose names are in `wanted`; {} without this file."""
    safe = folder / "model.safetensors"
    if not safe.is_file():
        return {}
    with safe_open(str(safe), "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys() if key in wanted}  # noqa: SIM118


class _WithHead:
    """AutoModelForMaskedLM that rejects models without a language-model head.

    AutoModelForMaskedLM itself would fill the missing head with random numbers.
    """

    @staticmethod
    def from_pretrained(folder: Path, **options: Any) -> Any:
        model, report = AutoModelForMaskedLM.from_pretrained(
            folder, output_loading_info=True, **options
        )
        if missing := sorted(report["missing_keys"]):
            raise ValueError(f"it has no language-model head: no weights for {missing[0]}")
        return model


def load_weigher(
    config: TildeEncoderConfig, projection: dict[str, torch.Tensor] | None
) -> TrainedWeights | HeadWeights:
    """Load the model that weights the tokens of passages.

    projection: result of `trained_projection`. None: the weights come from the model's
                language-model head.
    """
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
    """Load the model `expansion_model`, which predicts tokens to add. The option must be set."""
    assert config.expansion_model is not None, "without it, the weigher expands"
    return HeadWeights(
        load_pretrained(
            _WithHead,
            config.expansion_model,
            precision=config.precision,
            device=config.device,
        )
    )
