"""Compile the kernels of inverted indexes, or load them from the cache, before the first query."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from ...core import Representation
from ..interpreting import compile_always
from ..protocol import LegPart, Mask, Scored, is_counted
from .config import LexicalLeg, SparseLeg
from .lexical import LexicalSegment
from .lexical_delta import LexicalDelta
from .sparse import SparseSegment
from .sparse_delta import SparseDelta

_ROWS = 32
"""Enough rows for a list of one posting to be short; see `selection.VISIT_SHARE`."""


def warm() -> None:
    """Compile all kernels by searching tiny indexes.

    Takes seconds at first use. Later calls load the compiled kernels from a cache on disk, which
    takes tens of milliseconds.
    """
    compile_always()
    weights = np.zeros((_ROWS, 2), dtype=np.float32)
    weights[:, 0] = weights[0, 1] = 1
    rare, common = {"rare": 1}, {"common": 1}
    kinds: list[tuple[Any, Any, Any, Representation, Representation]] = [
        (
            SparseLeg(),
            SparseSegment,
            SparseDelta,
            Representation(sparse=csr_array(weights)),
            Representation(sparse=csr_array(np.eye(2, dtype=np.float32))),
        ),
        (
            LexicalLeg(),
            LexicalSegment,
            LexicalDelta,
            Representation(terms=[common | rare] + [common] * (_ROWS - 1)),
            Representation(terms=[common, rare]),
        ),
    ]
    mask = np.ones(_ROWS, dtype=np.bool_)
    for config, segment_part, delta_part, rows, queries in kinds:
        delta = delta_part(config)
        delta.append(rows)
        _search(delta, queries, mask)
        with TemporaryDirectory() as directory:
            segment_part.build(Path(directory), rows, config)
            segment = segment_part.open(Path(directory), config)
            for allowed in (None, mask):
                _search(segment, queries, allowed)
            segment.terms(0)


def _search(part: LegPart, queries: Representation, allowed: Mask | None) -> None:
    if is_counted(part):
        part = Scored(part, part.statistics(queries, allowed))
    part.search(queries, 1, allowed)
