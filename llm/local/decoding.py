"""Continues a batch of prompts that a causal model has read.

A row is one prompt of the batch. Rows differ in length, so they are padded on the right. A causal
model does not look ahead, so this padding changes nothing and needs no mask. Before the rows
continue, their keys and values are moved to the right end of the cache. The padding is then on the
left and is masked, and the distances between tokens are the same as without padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any, Protocol

import torch
from transformers import DynamicCache

from ...core import InvalidInputError, Usage
from ..batching import pad
from ..protocol import Tokens


class Reader(Protocol):
    """The interface of a causal model that reads prompts and continues them."""

    limit: int | None
    """Maximum number of tokens of prompt and continuation. None: unknown."""
    batch_tokens: int
    """Maximum number of padded tokens of a batch."""
    ends: frozenset[int]
    """Tokens that end a text."""

    def start(self, rows: Sequence[Tokens], prefix: Tokens = ()) -> Decoding:
        """Read `prefix + row` for each row as one batch, and return a Decoding of these prompts."""

    def check_length(self, tokens: int) -> None:
        """Raise InvalidInputError if a prompt of `tokens` tokens is too long for the model."""

    def forward(
        self,
        ids: torch.Tensor,
        cache: DynamicCache,
        *,
        positions: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        last: torch.Tensor | None = None,
        layer: int = -1,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Run the model on the tokens `ids`, int64 [n, t], and return hidden states and logits.

        The keys and values of these tokens are added to `cache`.

        positions, mask: `position_ids` and `attention_mask` of the transformers model. None: the
              model's defaults.
        last: int64 [n], the only position of each row to return; None: all positions are returned.
        layer: number of the layer whose states are returned, as in `StateModel.read`.
        """


class Decoding:
    """A batch of n prompts ("rows") that a model has read and can continue.

    `CausalModel.start` creates it.

    hidden: [n, d], hidden state at the last token of each row, in the model's precision.
    logits: [n, vocabulary], logits of the token that follows each row.
    usage:  usage of the model by this object. An object that `select` returns counts from zero.

    Only one thread at a time may use a Decoding. Several Decodings of one model may run in
    parallel.
    """

    def __init__(
        self,
        model: Reader,
        cache: DynamicCache,
        lengths: torch.Tensor,
        hidden: torch.Tensor,
        logits: torch.Tensor,
        usage: Usage,
        layer: int = -1,
    ) -> None:
        self.hidden = hidden
        self.logits = logits
        self.usage = usage
        self._model = model
        self._layer = layer
        self._cache = cache  # keys and values of each layer, [n, heads, slots, size of a head]
        self._lengths = lengths  # int64 [n], on the device
        self._gap = cache.get_seq_length() - lengths  # free slots after each row

    def __len__(self) -> int:
        return len(self._lengths)

    @property
    def lengths(self) -> list[int]:
        """Number of tokens that the model has read in each row, including the prefix."""
        return [int(length) for length in self._lengths]

    def step(self, tokens: Sequence[int]) -> None:
        """Append one token to each row (prompt), and update `hidden` and `logits`."""
        begun = perf_counter()
        hidden, logits = self._feed([[int(token)] for token in tokens])
        self.hidden, self.logits = hidden[:, 0], logits[:, 0]
        self.usage += Usage(completion_tokens=len(tokens), seconds=perf_counter() - begun)

    def feed(self, rows: Sequence[Tokens]) -> torch.Tensor:
        """Append the tokens `rows[i]`, at least one, to each prompt i in one pass of the model.

        Returns logits [n, longest of `rows`, vocabulary]. The logits at [i, j] are for the token
        that follows rows[i][j]. They are undefined if rows[i] has no token j.
        """
        begun = perf_counter()
        hidden, logits = self._feed(rows)
        every = torch.arange(len(rows), device=hidden.device)
        last = torch.tensor([len(row) - 1 for row in rows], device=hidden.device)
        self.hidden, self.logits = hidden[every, last], logits[every, last]
        count = sum(map(len, rows))
        self.usage += Usage(prompt_tokens=count, seconds=perf_counter() - begun)
        return logits

    def read(self, tokens: Tokens) -> None:
        """Append `tokens`, at least one, to a Decoding of a single row.

        Logits are computed only for the last token.
        """
        begun = perf_counter()
        self.hidden, self.logits = self._feed([tokens], last=True)
        self.usage += Usage(prompt_tokens=len(tokens), seconds=perf_counter() - begun)

    def select(self, rows: Sequence[int]) -> Decoding:
        """Return a Decoding with the prompts at these positions, in this order.

        A position may occur several times. The new Decoding is an independent copy.
        """
        chosen = torch.tensor([int(row) for row in rows], device=self._lengths.device)
        cache = copied(self._cache, lambda part: part[chosen])
        lengths, hidden, logits = self._lengths[chosen], self.hidden[chosen], self.logits[chosen]
        part = Decoding(self._model, cache, lengths, hidden, logits, Usage(), self._layer)
        part._gap = self._gap[chosen]
        return part

    def _feed(
        self, rows: Sequence[Tokens], *, last: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if len(rows) != len(self) or not all(map(len, rows)):
            raise InvalidInputError(f"each of the {len(self)} prompts requires at least one token")
        device = self._lengths.device
        added = torch.tensor(list(map(len, rows)), device=device)
        self._model.check_length(int((self._lengths + added).max()))
        self._align()
        ids = torch.from_numpy(pad(rows, fill=0, side="right")).to(device)
        positions = self._lengths[:, None] + torch.arange(ids.shape[1], device=device)
        held, mask = self._cache.get_seq_length(), None
        if int(self._lengths.min()) < held:
            slots = torch.arange(held + ids.shape[1], device=device)
            mask = slots >= held - self._lengths[:, None]
        hidden, logits = self._model.forward(
            ids,
            self._cache,
            positions=positions,
            mask=mask,
            last=added - 1 if last else None,
            layer=self._layer,
        )
        self._lengths = self._lengths + added
        self._gap = ids.shape[1] - added
        return hidden, logits

    def _align(self) -> None:
        """Move the free slots of the cache from the end of each row to its start.

        A slot holds the keys and values of one token. Slots that are free in all rows are removed.
        """
        if not self._gap.any():
            return
        held = self._cache.get_seq_length()
        slots = torch.arange(held - int(self._lengths.max()), held, device=self._gap.device)
        source = (slots - self._gap[:, None]).clamp(min=0)[:, None, :, None]
        self._cache = copied(self._cache, lambda part: part.take_along_dim(source, dim=2))
        self._gap = torch.zeros_like(self._gap)


def copied(cache: DynamicCache, change: Any) -> DynamicCache:
    """Return a new cache with `change` applied to the keys and values of every layer."""
    whole = DynamicCache()
    layer: Any
    for number, layer in enumerate(cache.layers):
        whole.update(change(layer.keys), change(layer.values), number)
    return whole
