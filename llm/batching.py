"""Batches of texts of similar length.

A batch is padded to its longest text, so texts are sorted by their number of tokens; and batches
are limited by padded tokens (longest x texts) and not by texts, so that each is about the same
work and memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def batches(lengths: Sequence[int], budget: int) -> Iterator[NDArray[np.int64]]:
    """Positions of texts, longest texts first, in batches of at most `budget` padded tokens.

    A text longer than the budget is a batch by itself. Of equal lengths the earlier comes first.
    """
    order = np.argsort(-np.asarray(lengths, np.int64), kind="stable")
    begin = 0
    while begin < len(order):
        end = begin + max(1, budget // max(1, lengths[order[begin]]))
        yield order[begin:end]
        begin = end


def pad(rows: Sequence[Sequence[int]], *, fill: int, side: str) -> NDArray[np.int64]:
    """Rows of different lengths as one array int64 [n, longest], filled on the given side."""
    longest = max(map(len, rows))
    padded = np.full((len(rows), longest), fill, np.int64)
    for place, row in zip(padded, rows, strict=True):
        if side == "left":
            place[longest - len(row) :] = row
        else:
            place[: len(row)] = row
    return padded


def mask(lengths: Sequence[int], *, side: str) -> NDArray[np.int64]:
    """1 where a token is and 0 where `pad` fills: int64 [n, longest]."""
    sizes: NDArray[Any] = np.asarray(lengths)[:, None]
    places = np.arange(int(sizes.max()))[None, :]
    if side == "left":
        places = places[:, ::-1]
    return (places < sizes).astype(np.int64)
