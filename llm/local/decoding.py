"""A batch of prompts that a causal model has read, and how they go on.

The rows of a batch differ in length. They are read padded on the right: a causal model does not
look ahead, so padding changes nothing there and needs no mask. Before the rows go on, what was kept
of them (keys and values) is moved to the right end, so that the padding is on the left, is masked,
and tokens are as far apart as they would be without it.
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
    """A causal model: it reads prompts and goes on with them."""

    limit: int | None
    """Tokens that it reads at most."""
    batch_tokens: int
    """Tokens of a batch."""
    ends: frozenset[int]
    """Tokens that end a text."""

    def start(self, rows: Sequence[Tokens], prefix: Tokens = ()) -> Decoding:
        """Read `prefix + row` for each row as one batch, ready to go on."""

    def check_length(self, tokens: int) -> None:
        """Raises InvalidInputError for more tokens than the model has positions."""

    def forward(
        self,
        ids: torch.Tensor,
        cache: DynamicCache,
        *,
        positions: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        layer: int = -1,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """States and logits of one pass over ids int64 [n, t]; the cache grows by them."""


class Decoding:
    """n rows that were read, in order, with what is needed to go on.

    hidden: [n, d], the state at the last token of each row, in the model's own precision.
    logits: [n, vocabulary], of the token that follows.
    usage:  what was read through this object; `select` begins a new count.

    Made by `CausalModel.start`. One thread at a time may use it; several of them may go on beside
    each other.
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
        self._gap = cache.get_seq_length() - lengths  # free slots behind each row

    def __len__(self) -> int:
        return len(self._lengths)

    @property
    def lengths(self) -> list[int]:
        """Tokens read of each row, prefix included."""
        return [int(length) for length in self._lengths]

    def step(self, tokens: Sequence[int]) -> None:
        """Go on by one token for each row."""
        begun = perf_counter()
        hidden, logits = self._feed([[int(token)] for token in tokens])
        self.hidden, self.logits = hidden[:, 0], logits[:, 0]
        self.usage += Usage(completion_tokens=len(tokens), seconds=perf_counter() - begun)

    def feed(self, rows: Sequence[Tokens]) -> torch.Tensor:
        """Go on by given tokens, at least one for each row, in one pass.

        Returns logits [n, longest row, vocabulary]: those at [i, j] are of the token that follows
        rows[i][j]; where row i has no token j they mean nothing.
        """
        begun = perf_counter()
        hidden, logits = self._feed(rows)
        every = torch.arange(len(rows), device=hidden.device)
        last = torch.tensor([len(row) - 1 for row in rows], device=hidden.device)
        self.hidden, self.logits = hidden[every, last], logits[every, last]
        count = sum(map(len, rows))
        self.usage += Usage(prompt_tokens=count, seconds=perf_counter() - begun)
        return logits

    def select(self, rows: Sequence[int]) -> Decoding:
        """Some of the rows, in the given order; a row may be there several times."""
        chosen = torch.tensor([int(row) for row in rows], device=self._lengths.device)
        cache = copied(self._cache, lambda part: part[chosen])
        lengths, hidden, logits = self._lengths[chosen], self.hidden[chosen], self.logits[chosen]
        part = Decoding(self._model, cache, lengths, hidden, logits, Usage(), self._layer)
        part._gap = self._gap[chosen]
        return part

    def _feed(self, rows: Sequence[Tokens]) -> tuple[torch.Tensor, torch.Tensor]:
        if len(rows) != len(self) or not all(map(len, rows)):
            raise InvalidInputError(f"{len(self)} rows go on by at least one token each")
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
            ids, self._cache, positions=positions, mask=mask, layer=self._layer
        )
        self._lengths = self._lengths + added
        self._gap = ids.shape[1] - added
        return hidden, logits

    def _align(self) -> None:
        """Move the free slots behind the rows to before them, and drop what all rows have."""
        if not self._gap.any():
            return
        held = self._cache.get_seq_length()
        slots = torch.arange(held - int(self._lengths.max()), held, device=self._gap.device)
        source = (slots - self._gap[:, None]).clamp(min=0)[:, None, :, None]
        self._cache = copied(self._cache, lambda part: part.take_along_dim(source, dim=2))
        self._gap = torch.zeros_like(self._gap)


def copied(cache: DynamicCache, change: Any) -> DynamicCache:
    """A cache of the keys and of the values of every layer after a change."""
    whole = DynamicCache()
    layer: Any
    for number, layer in enumerate(cache.layers):
        whole.update(change(layer.keys), change(layer.values), number)
    return whole
