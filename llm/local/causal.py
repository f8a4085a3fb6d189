"""Runs causal language models with transformers: reads prompts in batches and continues them.

Only the last token of each prompt passes through the language-model head, which computes logits. If
all prompts share a prefix, the model reads the prefix once and caches its keys and values for later
batches.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, DynamicCache

from ...core import ConfigError, InvalidInputError, ModelError, Usage
from ..batching import pad
from ..protocol import Capability, Chunk, Completion, Likelihoods, Prompt, Sampling, States, Tokens
from .decoding import Decoding, copied
from .generation import generate, stream
from .likelihood import likelihood
from .pretrained import Pretrained, PretrainedModel, check_texts, no_states

PREFIXES = 8
"""Maximum number of prefixes of prompts whose keys and values are cached."""

PREFIX_TOKENS = 4_096
"""Maximum number of tokens in all cached prefixes. A token needs tens of kilobytes or more."""


class CausalModel(PretrainedModel):
    """A model that continues text: Llama, Qwen, Mistral, Phi, SmolLM2, ...

    It returns states, computes likelihoods and generates text. Thread-safe: the model computes one
    batch at a time, and all other work runs in parallel.
    """

    loader = AutoModelForCausalLM
    capabilities: frozenset[Capability] = frozenset({"states", "likelihood", "generate"})
    mask: str | None = None

    def __init__(self, parts: Pretrained) -> None:
        super().__init__(parts)
        if _has_other_state(parts.model):
            raise ModelError(
                f"model {parts.name!r} ({type(parts.model).__name__}) is not supported, because it "
                "keeps a recurrent state instead of keys and values; use a transformer model"
            )
        self.limit: int | None = _limit(parts.model)
        self.begin: Tokens = parts.tokenizer.around()[0]
        self.ends = _ends(parts)
        self._prefixes: OrderedDict[tuple[int, ...], DynamicCache] = OrderedDict()

    def likelihood(self, prompts: Sequence[Prompt], continuations: Sequence[str]) -> Likelihoods:
        """Return the log-likelihood of every continuation after every prompt.

        See `LikelihoodModel.likelihood`.
        """
        return likelihood(self, self._tokenizer, prompts, continuations)

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling | None = None
    ) -> list[Completion]:
        """Return one generated text for each prompt. See `GenerativeModel.generate`."""
        return generate(self, self._tokenizer, prompts, sampling or Sampling())

    def stream(self, prompt: Prompt, sampling: Sampling | None = None) -> Iterator[Chunk]:
        """Yield a generated text in pieces. See `GenerativeModel.stream`."""
        return stream(self, self._tokenizer, prompt, sampling or Sampling())

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
        if steps < 1:
            raise InvalidInputError(f"must be at least 1, got {steps}", field="steps")
        count = len(texts)
        states = no_states(count, steps, self)
        if not count:
            return states
        check_texts(texts, len(prefix) + len(suffix) + steps - 1, self.limit, self.name)
        usage = Usage()
        ends = np.array(sorted(self.ends | stop), np.int64)
        alive = np.arange(count)
        decoding = self.start([[*text, *suffix] for text in texts], prefix, layer)
        for step in range(steps):
            logits = decoding.logits.float().cpu().numpy()
            chosen = logits.argmax(axis=1)
            states.hidden[alive, step] = decoding.hidden.float().cpu().numpy()
            states.logits[alive, step] = logits
            states.tokens[alive, step] = chosen
            states.steps[alive] = step + 1
            going = np.flatnonzero(~np.isin(chosen, ends))
            if step == steps - 1 or not len(going):
                break
            if len(going) < len(alive):
                usage += decoding.usage
                decoding, alive = decoding.select(going.tolist()), alive[going]
            decoding.step(chosen[going])
        return replace(states, usage=usage + decoding.usage)

    def start(self, rows: Sequence[Tokens], prefix: Tokens = (), layer: int = -1) -> Decoding:
        """Read `prefix + row` for each row as one batch, and return a Decoding.

        The Decoding contains hidden states and logits, and can continue the rows.

        rows:  tokens of each prompt after the prefix; at least one row.
        layer: number of the layer whose states the Decoding contains, as in `StateModel.read`.
        """
        begun = perf_counter()
        rows = [list(row) for row in rows]
        if prefix and not all(rows):  # The state of an empty row is that of the last prefix token.
            rows, prefix = [[prefix[-1], *row] for row in rows], prefix[:-1]
        if not all(rows):
            raise InvalidInputError("every prompt must have at least one token")
        sizes = list(map(len, rows))
        self.check_length(len(prefix) + max(sizes))
        device = self._device
        ids = torch.from_numpy(pad(rows, fill=0, side="right")).to(device)
        lengths = torch.tensor(sizes, device=device)
        cache, known = self._prefix(tuple(map(int, prefix)), len(rows))
        hidden, logits = self.forward(ids, cache, last=lengths - 1, layer=layer)
        usage = Usage(
            calls=len(rows),
            prompt_tokens=sum(sizes) + len(rows) * len(prefix),
            cached_tokens=(len(rows) if known else len(rows) - 1) * len(prefix),
            seconds=perf_counter() - begun,
        )
        return Decoding(self, cache, lengths + len(prefix), hidden, logits, usage, layer)

    def forward(
        self,
        ids: torch.Tensor,
        cache: DynamicCache,
        *,
        last: torch.Tensor | None = None,
        positions: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        layer: int = -1,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Run the model on tokens and return the hidden states of a layer and the logits.

        The keys and values of the tokens are added to `cache`.

        ids:   int64 [n, t], tokens.
        last:  int64 [n], one position in each row. The results are for these positions only: states
               [n, d] and logits [n, vocabulary]. None: the results are for all positions,
               [n, t, d] and [n, t, vocabulary].
        positions, mask: `position_ids` and `attention_mask` of the transformers model. None: the
               model's defaults.
        layer: number of the layer, as in `StateModel.read`. -1: the input of the language-model
               head, which computes the logits.
        """
        read: list[torch.Tensor] = []

        def chosen(hidden: torch.Tensor) -> torch.Tensor:
            if last is None:
                return hidden
            return hidden[torch.arange(len(hidden), device=hidden.device), last]

        def enter_head(_: Any, arguments: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
            hidden, *rest = arguments
            hidden = chosen(hidden)
            if layer == -1:
                read.append(hidden)
            return (hidden, *rest)

        def enter_block(_: Any, arguments: tuple[torch.Tensor, ...]) -> None:
            read.append(chosen(arguments[0]))

        # The hooks run before the head, so the model still scales or caps its logits.
        with self._running, torch.inference_mode(), ExitStack() as hooks:
            if layer != -1:
                block = self._block_after(layer)
                hooks.callback(block.register_forward_pre_hook(enter_block).remove)
            hooks.callback(self._head.register_forward_pre_hook(enter_head).remove)
            logits = self._model(
                input_ids=ids,
                past_key_values=cache,
                position_ids=positions,
                attention_mask=mask,
                use_cache=True,
            ).logits
        return read[0], logits

    def _block_after(self, layer: int) -> Any:
        """Return the transformer block whose input is the output of a layer.

        layer: number of the layer, at most -2.

        Raises ConfigError for a layer that does not exist.
        """
        blocks = getattr(self._model.base_model, "layers", ())
        if not -len(blocks) - 1 <= layer < -1:
            known = f"layers -{len(blocks) + 1} to -1" if blocks else "only its last layer (-1)"
            raise ConfigError(f"model {self.name!r} supports {known}, got {layer}", field="layer")
        return blocks[layer + 1]

    def check_length(self, tokens: int) -> None:
        """Raise InvalidInputError if a prompt of `tokens` tokens is too long for the model."""
        if self.limit is not None and tokens > self.limit:
            raise InvalidInputError(
                f"a prompt has {tokens} tokens, but model {self.name!r} accepts at most "
                f"{self.limit}; shorten the prompt"
            )

    def _prefix(self, prefix: tuple[int, ...], count: int) -> tuple[DynamicCache, bool]:
        """Return the keys and values of a prefix, and True if nothing had to be computed.

        Nothing has to be computed if the keys and values were cached, or if the prefix is empty.

        count: number of rows for which the keys and values are repeated.
        """
        if not prefix:
            return DynamicCache(), True
        one = self._prefixes.get(prefix)
        known = one is not None
        if one is None:
            one = DynamicCache()
            ids = torch.tensor([prefix], device=self._device)
            self.forward(ids, one, last=torch.tensor([len(prefix) - 1], device=ids.device))
        with self._running:
            self._prefixes[prefix] = one
            self._prefixes.move_to_end(prefix)
            while len(self._prefixes) > PREFIXES or sum(map(len, self._prefixes)) > PREFIX_TOKENS:
                self._prefixes.popitem(last=False)
        return copied(one, lambda part: part.expand(count, -1, -1, -1)), known


def _has_other_state(model: Any) -> bool:
    """Return True if a layer keeps state other than keys and values, as state-space models do."""
    from transformers.cache_utils import DynamicLayer

    layers = DynamicCache(config=model.config).layers
    return model._is_stateful or not all(isinstance(layer, DynamicLayer) for layer in layers)


def _limit(model: Any) -> int | None:
    """Return the maximum number of tokens that a model accepts; None if its config has no limit."""
    limit: int | None = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return limit


def _ends(parts: Pretrained) -> frozenset[int]:
    """Return the tokens that end the model's turn, from its configuration and its tokenizer."""
    found: set[int] = set()
    for given in (
        parts.model.config.get_text_config().eos_token_id,
        parts.model.generation_config.eos_token_id,
        parts.tokenizer.end_token,
    ):
        found.update([given] if isinstance(given, int) else given or ())
    return frozenset(found)
