"""Runs masked language models with transformers and reads their states at the mask token."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from time import perf_counter
from typing import Any, NoReturn

import torch
from transformers import AutoModelForMaskedLM

from ...core import ConfigError, InvalidInputError, ModelError, UnsupportedError, Usage
from ..batching import mask, pad
from ..protocol import Capability, Prompt, Sampling, States, Tokens, unsupported
from .pretrained import Pretrained, PretrainedModel, check_texts, no_states


class MaskedModel(PretrainedModel):
    """A model that fills in a mask: BERT, RoBERTa, DistilBERT, ModernBERT, ...

    It supports only the capability "states". States are read at the mask token, which a prompt must
    contain exactly once. The states come from the last layer, before the transform of the
    language-model head. In a masked model, every token depends on the tokens after it, so keys and
    values of a prefix cannot be reused. Thread-safe: one batch runs at a time.
    """

    loader = AutoModelForMaskedLM
    capabilities: frozenset[Capability] = frozenset({"states"})
    begin: Tokens = ()  # `read` adds the special tokens around a prompt.
    ends = frozenset[int]()  # A masked model does not generate turns.

    def __init__(self, parts: Pretrained) -> None:
        super().__init__(parts)
        if parts.tokenizer.mask_token is None:
            raise ModelError(
                f"the tokenizer of model {parts.name!r} has no mask token; use a masked model"
            )
        self.mask: str | None = parts.tokenizer.mask_name
        self._mask_token = parts.tokenizer.mask_token
        # The input of the head may be smaller than the states (ALBERT).
        self.dimensions = int(parts.model.config.hidden_size)
        self._before, self._after = self._tokenizer.around()
        positions = min(parts.model.config.max_position_embeddings, self._tokenizer.limit)
        self.limit: int | None = positions - len(self._before) - len(self._after)

    def likelihood(self, prompts: Sequence[Prompt], continuations: Sequence[str]) -> NoReturn:
        """Raise UnsupportedError: a masked model does not continue texts."""
        raise unsupported(self, "likelihood")

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling | None = None) -> NoReturn:
        """Raise UnsupportedError: a masked model does not generate text."""
        raise unsupported(self, "generate")

    def stream(self, prompt: Prompt, sampling: Sampling | None = None) -> NoReturn:
        """Raise UnsupportedError: a masked model does not generate text."""
        raise unsupported(self, "generate")

    def read(
        self,
        texts: Sequence[Tokens],
        *,
        prefix: Tokens = (),
        suffix: Tokens = (),
        steps: int = 1,
        stop: AbstractSet[int] = frozenset(),
        layer: int = -1,
    ) -> States:
        if steps != 1:
            raise UnsupportedError(
                f"masked model {self.name!r} predicts one token only; steps must be 1, got {steps}"
            )
        if layer != -1:
            raise ConfigError(
                f"model {self.name!r} supports only its last layer (-1), got {layer}",
                field="layer",
            )
        begin, end = [*self._before, *prefix], [*suffix, *self._after]
        masks = [*begin, *end].count(self._mask_token)
        if masks != 1:
            raise InvalidInputError(
                f"must contain the mask token {self.mask} exactly once, got it {masks} times",
                field="prompt",
            )
        states = no_states(len(texts), 1, self)
        if not len(texts):
            return states
        check_texts(texts, len(prefix) + len(suffix), self.limit, self.name)
        begun = perf_counter()
        rows = [[*begin, *text, *end] for text in texts]
        if self._mask_token in begin:
            positions = [begin.index(self._mask_token)] * len(rows)
        else:
            from_end = len(end) - end.index(self._mask_token)
            positions = [len(row) - from_end for row in rows]
        hidden, logits = self._forward(rows, positions)
        states.hidden[:, 0] = hidden.float().cpu().numpy()
        states.logits[:, 0] = logits.float().cpu().numpy()
        states.tokens[:, 0] = states.logits[:, 0].argmax(axis=1)
        states.steps[:] = 1
        usage = Usage(
            calls=len(rows),
            prompt_tokens=sum(map(len, rows)),
            seconds=perf_counter() - begun,
        )
        return replace(states, usage=usage)

    def _forward(
        self, rows: Sequence[Tokens], positions: Sequence[int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return hidden states [n, d] and logits [n, vocabulary] at one position of each row.

        rows:      tokens of each prompt.
        positions: position of the mask token in each prompt.
        """
        ids = pad(rows, fill=self._tokenizer.pad_token or 0, side="right")
        seen = mask(list(map(len, rows)), side="right")
        chosen = torch.tensor(positions, device=self._device)
        read: list[torch.Tensor] = []

        def pick(_module: Any, _arguments: Any, output: Any) -> Any:
            every = torch.arange(len(rows), device=self._device)
            read.append(output.last_hidden_state[every, chosen])
            output.last_hidden_state = read[0][:, None]
            return output

        # The hook runs between the last layer and the head, so the head reads one token a row.
        with self._running, torch.inference_mode():
            hook = self._model.base_model.register_forward_hook(pick)
            try:
                logits = self._model(
                    input_ids=torch.from_numpy(ids).to(self._device),
                    attention_mask=torch.from_numpy(seen).to(self._device),
                ).logits
            finally:
                hook.remove()
        return read[0], logits[:, 0]
