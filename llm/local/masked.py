"""Masked language models through transformers: what they would write at their mask."""

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
    """A model that fills in a mask: BERT, RoBERTa, DistilBERT, ModernBERT, ... A `StateModel`.

    It reads at its mask, which the prompt around the text must contain once. The state is the last
    layer's, before the transform of the language-model head. Such models look ahead, so nothing of
    a prefix can be kept. Thread-safe: one batch runs at a time.
    """

    loader = AutoModelForMaskedLM
    capabilities: frozenset[Capability] = frozenset({"states"})
    begin: Tokens = ()  # `read` adds what goes around a prompt
    ends = frozenset[int]()  # it takes no turns

    def __init__(self, parts: Pretrained) -> None:
        super().__init__(parts)
        if parts.tokenizer.mask_token is None:
            raise ModelError(f"the tokenizer of model {parts.name!r} has no mask")
        self.mask: str | None = parts.tokenizer.mask_name
        self._mask_token = parts.tokenizer.mask_token
        # What enters the head may be smaller than the states (ALBERT).
        self.dimensions = int(parts.model.config.hidden_size)
        self._before, self._after = self._tokenizer.around()
        places = min(parts.model.config.max_position_embeddings, self._tokenizer.limit)
        self.limit: int | None = places - len(self._before) - len(self._after)

    def likelihood(self, prompts: Sequence[Prompt], continuations: Sequence[str]) -> NoReturn:
        """UnsupportedError: it reads both sides of a mask, and continues nothing."""
        raise unsupported(self, "likelihood")

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling | None = None) -> NoReturn:
        """UnsupportedError."""
        raise unsupported(self, "generate")

    def stream(self, prompt: Prompt, sampling: Sampling | None = None) -> NoReturn:
        """UnsupportedError."""
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
                f"model {self.name!r} fills in one token; it cannot go on for {steps} steps"
            )
        if layer != -1:
            raise ConfigError(f"model {self.name!r} shows its last layer (-1) only", field="layer")
        begin, end = [*self._before, *prefix], [*suffix, *self._after]
        masks = [*begin, *end].count(self._mask_token)
        if masks != 1:
            raise InvalidInputError(
                f"the prompt needs {self.mask} once, and has it {masks} times", field="prompt"
            )
        states = no_states(len(texts), 1, self)
        if not len(texts):
            return states
        check_texts(texts, len(prefix) + len(suffix), self.limit, self.name)
        begun = perf_counter()
        rows = [[*begin, *text, *end] for text in texts]
        if self._mask_token in begin:
            places = [begin.index(self._mask_token)] * len(rows)
        else:
            from_end = len(end) - end.index(self._mask_token)
            places = [len(row) - from_end for row in rows]
        hidden, logits = self._forward(rows, places)
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
        self, rows: Sequence[Tokens], places: Sequence[int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The states [n, d] at one place of each row, and the logits [n, vocabulary]."""
        ids = pad(rows, fill=self._tokenizer.pad_token or 0, side="right")
        seen = mask(list(map(len, rows)), side="right")
        chosen = torch.tensor(places, device=self._device)
        read: list[torch.Tensor] = []

        def pick(_module: Any, _arguments: Any, output: Any) -> Any:
            every = torch.arange(len(rows), device=self._device)
            read.append(output.last_hidden_state[every, chosen])
            output.last_hidden_state = read[0][:, None]
            return output

        # Between the last layer and the head: only one token of each row goes on.
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
