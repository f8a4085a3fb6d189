"""Sizes of a build: number of heads, vectors per block, scratch files."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .config import SpannConfig

LIST_BYTES = 40 << 10
"""Default mean size of a list. A disk reads it about as fast as a single page.

Measured with int8 codes of 384 dimensions and 4 lists per vector, which gives heads for 3.9 % of
the vectors. Twice as many heads read 35 % (clustered vectors) and 20 % (text) fewer bytes for a
recall of .95, but 25 % and 40 % more lists, and take twice the memory."""

LEAST_SHARE, MOST_SHARE = 0.01, 0.08
"""Bounds of the default share of heads. Fewer heads find too little, more take too much memory."""

REPLICAS = 3
"""Default maximum number of lists per vector, if none is configured or measured (`replicas`).

Lists and kilobytes read for a recall of .95:

    maximum             1      2     4     8
    clustered, lists    >256   17    8     6
    clustered, KB       -      364   331   477
    text, lists         83     39    21    16
    text, KB            1256   1146  1032  1006
"""

LIMIT_RATIO = 3
"""Maximum length of a list, as a multiple of the mean length; see `lists.py`.

Lower ratios cost more than they save. For a recall of .98 on text, a ratio of 2 took 3 lists and
5 % of bytes more than no limit, and a ratio of 3 took no more."""

LEAST_LIMIT = 64
"""Smallest value of the maximum length of a list."""

MOST_ROWS = 16_384
"""Maximum number of vectors in a block. Larger blocks are not faster."""

MOST_FILES = 1_024
"""Maximum number of scratch files."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes that limit the memory of the build of a spann index.

    candidates: number of heads considered for each vector.
    block:      number of vectors assigned at a time.
    files:      number of scratch files; each holds the entries of consecutive lists.
    """

    candidates: int
    block: int
    files: int


def head_count(rows: int, stride: int, config: SpannConfig) -> int:
    """Return the number of heads for `rows` vectors with codes of `stride` bytes; at least 1."""
    share = config.head_share
    if share is None:
        entries = LIST_BYTES / (stride + 4)
        share = min(max((config.replicas or REPLICAS) / entries, LEAST_SHARE), MOST_SHARE)
    return min(rows, max(1, round(rows * share)))


def sample_size(rows: int, width: int, memory: int) -> int:
    """Return the size of the sample: the number of vectors that fit into half of `memory` bytes.

    rows:  number of all vectors.
    width: dimensions of a vector (float32).

    The sample has at least 10,000 vectors, or all vectors if there are fewer.
    """
    return min(rows, max(10_000, memory // 2 // (4 * width)))


def sizes(rows: int, width: int, stride: int, heads: int, replicas: int, memory: int) -> Sizes:
    """Return sizes for a build of `rows` vectors in about `memory` bytes.

    width:    dimensions of a vector (float32).
    stride:   bytes per code.
    heads:    number of heads.
    replicas: maximum number of lists per vector.

    Each size has a minimum. With these minimum sizes, a build may need more than `memory` bytes.
    """
    # 16 and 32 candidates give the same 4 lists, except for 1 vector in 100 (clustered vectors).
    candidates = min(heads, max(32, 6 * replicas))
    entry = stride + 32
    row = 12 * width + 16 * candidates + 2 * replicas * entry + stride
    block = min(MOST_ROWS, max(256, memory // 2 // row))
    files = min(MOST_FILES, max(1, math.ceil(rows * replicas * entry / max(1, memory // 6))))
    return Sizes(candidates, block, files)
