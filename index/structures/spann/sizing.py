"""How many heads, how many vectors at once, how many scratch files: from what is to be built."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .config import SpannConfig

LIST_BYTES = 40 << 10
"""Of a list, on average, if no share of heads is given: what a disk reads about as quickly as one
page. Measured with int8 codes of 384 dimensions and 4 lists a vector, so with heads for 3.9 % of
the vectors: twice as many heads read 35 % (clustered) and 20 % (text) fewer bytes for a recall of
.95, and 25 and 40 % more lists, and take twice the memory."""

LEAST_SHARE, MOST_SHARE = 0.01, 0.08
"""Bounds of heads / vectors by default: few heads find too little, many take too much memory."""

REPLICAS = 3
"""The usual cap, where none is given or measured (`calibrating`). For a recall of .95 caps of 1, 2,
4 and 8 read over 256, 17, 8 and 6 lists (clustered vectors) and 83, 39, 21 and 16 (text); in
kilobytes -, 364, 331, 477 and 1256, 1146, 1032, 1006."""

LIMIT_RATIO = 3
"""A list is cut to so many times the mean length; see `lists.py`. Shorter ones cost more than they
save: at 2 a recall of .98 took 3 lists and 5 % of bytes more, at 3 nothing (text)."""

LEAST_LIMIT = 64

MOST_ROWS = 16_384
"""Vectors of a block: more are not quicker."""

MOST_FILES = 1_024
"""For scratch."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """candidates: heads considered for the lists of a vector. block: vectors assigned together.
    files: for scratch, each with the entries of neighbouring lists.
    """

    candidates: int
    block: int
    files: int


def head_count(rows: int, stride: int, config: SpannConfig) -> int:
    """Heads for so many vectors with codes of `stride` bytes: at least 1."""
    share = config.head_share
    if share is None:
        entries = LIST_BYTES / (stride + 4)
        share = min(max((config.replicas or REPLICAS) / entries, LEAST_SHARE), MOST_SHARE)
    return min(rows, max(1, round(rows * share)))


def sample_size(rows: int, width: int, memory: int) -> int:
    """Vectors, as float32, that take about half of `memory`; but not too few to divide."""
    return min(rows, max(10_000, memory // 2 // (4 * width)))


def sizes(rows: int, width: int, stride: int, heads: int, replicas: int, memory: int) -> Sizes:
    """What fits into about `memory` bytes, and not less than what makes sense."""
    # Of 16 candidates the same 4 were accepted as of 32 but for 1 in 100 (clustered vectors).
    candidates = min(heads, max(32, 6 * replicas))
    entry = stride + 32
    row = 12 * width + 16 * candidates + 2 * replicas * entry + stride
    block = min(MOST_ROWS, max(256, memory // 2 // row))
    files = min(MOST_FILES, max(1, math.ceil(rows * replicas * entry / max(1, memory // 6))))
    return Sizes(candidates, block, files)
