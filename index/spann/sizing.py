"""How many heads, how many vectors at a time, how many scratch files: from what is to be built."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...core import SpannConfig

LIST_BYTES = 40 << 10
"""Of a list, on average, if no share of heads is given: what a disk reads about as quickly as one
page. Twice as many heads halve the bytes that a recall costs and double the reads and the memory
(measured; see `head_count` for the limits)."""

LEAST_SHARE, MOST_SHARE = 0.01, 0.08
"""Bounds of heads / vectors by default: few heads find too little, many take too much memory."""

REPLICAS = 4
"""The default cap. On 50,000 clustered vectors and 8 lists recall@10 was .69, .87, .95, .97 and .97
for caps of 1, 2, 4, 6 and 8: each step to 4 found more for the same bytes, those beyond do not."""

LIMIT_RATIO = 3
"""A list is cut to so many times the mean length; see `lists.py`."""

LEAST_LIMIT = 64

MOST_ROWS = 16_384
"""Vectors of a block: more are not quicker."""

MOST_FILES = 1_024
"""For scratch."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """heads: wanted. replicas: most lists of a vector. candidates: heads considered for them.

    sample: vectors that heads are chosen from. block: vectors assigned together. files: for
    scratch, each with the entries of neighbouring lists.
    """

    heads: int
    replicas: int
    candidates: int
    sample: int
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


def sizes(rows: int, width: int, stride: int, config: SpannConfig, memory: int) -> Sizes:
    """What fits into about `memory` bytes, and not less than what makes sense."""
    heads = head_count(rows, stride, config)
    replicas = config.replicas or REPLICAS
    # Of 64 and 32 candidates the same 4 were accepted but for one in a hundred.
    candidates = min(heads, max(32, 8 * replicas))
    entry = stride + 32
    row = 12 * width + 16 * candidates + 2 * replicas * entry + stride
    block = min(MOST_ROWS, max(256, memory // 2 // row))
    files = min(MOST_FILES, max(1, math.ceil(rows * replicas * entry / max(1, memory // 6))))
    return Sizes(heads, replicas, candidates, sample_size(rows, width, memory), block, files)
