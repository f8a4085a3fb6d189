"""Merges passage vectors that an encoder computed with vectors supplied by the caller."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...core import Representation


def merged(
    encoded: Representation,
    kept: NDArray[np.int64],
    given: Representation,
    order: NDArray[np.int64],
) -> Representation:
    """Merge rows of two representations with one vector per text.

    encoded: representation from the encoder.
    kept:    numbers of the rows of `encoded` to use; the other rows are dropped.
    given:   representation from the caller; all of its rows are used.
    order:   numbers of rows in the list of the kept rows, then the given rows. Row i of the result
             is row order[i] of this list.
    """
    truncated = None
    if encoded.truncated is not None:
        none = np.zeros(len(given), np.bool_)
        truncated = np.concatenate([encoded.truncated[kept], none])[order]
    if given.dense is not None:
        assert encoded.dense is not None, "the encoder of a dense leg"
        dense = np.concatenate([encoded.dense[kept], given.dense])[order]
        return Representation(dense=dense, truncated=truncated)
    assert encoded.sparse is not None, "the encoder of a sparse leg"
    assert given.sparse is not None, "the vectors of a sparse leg"
    from scipy.sparse import vstack  # It takes long to import.

    sparse = vstack([encoded.sparse[kept], given.sparse], format="csr")[order]
    return Representation(sparse=sparse, truncated=truncated)
