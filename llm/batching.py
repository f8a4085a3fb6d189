"""Divides texts into batches of similar length.

A batch is padded to its longest text, so texts are sorted by their number of tokens. The size of a
batch is limited in padded tokens (longest text x number of texts), not in texts. All batches
therefore need about the same time and memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def batches(lengths: Sequence[int], budget: int) -> Iterator[NDArray[np.int64]]:
    """Yield the positions of texts in batches of at most `budget` padded tokens.

    Padded tokens: longest text x number of texts. Longer texts come first; texts of equal length
    keep their order. A text that is longer than the budget is a batch of its own.

    lengths: number of tokens of each text.
    """
    order = np.argsort(-np.asarray(lengths, np.int64), kind="stable")
    begin = 0
    while begin < len(order):
        end = begin + max(1, budget // max(1, lengths[order[begin]]))
        yield order[begin:end]
        begin = end


def pad(rows: Sequence[Sequence[int]], *, fill: int, side: str) -> NDArray[np.int64]:
    """Pad rows of tokens to the length of the longest row, and return an int64 array [n, longest].

    fill: token that pads the shorter rows.
    side: side of the row to pad, "left" or "right".
    """
    longest = max(map(len, rows))
    padded = np.full((len(rows), longest), fill, np.int64)
    for target, row in zip(padded, rows, strict=True):
        if side == "left":
            target[longest - len(row) :] = row
        else:
            target[: len(row)] = row
    return padded


def mask(lengths: Sequence[int], *, side: str) -> NDArray[np.int64]:
    """Return the attention mask of padded rows, int64 [n, longest]: 1 for tokens, 0 for padding.

    lengths: number of tokens of each row.
    side:    side on which the rows are padded, "left" or "right".
    """
    sizes: NDArray[Any] = np.asarray(lengths)[:, None]
    positions = np.arange(int(sizes.max()))[None, :]
    if side == "left":
        positions = positions[:, ::-1]
    return (positions < sizes).astype(np.int64)
