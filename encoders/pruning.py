"""Building sparse vectors from weights, and pruning them to the largest weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.sparse import csr_array


def keep_heaviest(rows: csr_array, top: int | None) -> csr_array:
    """Return a sparse matrix with only the `top` largest weights of each row.

    Of equal weights, the ones with the lowest indices are kept.

    rows: CSR float32 [n, vocabulary] with sorted indices. The result has the same form.
    top:  maximum number of weights kept in a row. None: all.
    """
    lengths = np.diff(rows.indptr)
    if top is None or not len(lengths) or lengths.max() <= top:
        return rows
    owner = np.repeat(np.arange(len(lengths)), lengths)
    # The sort is stable: within a row, equal weights stay in the order of their indices.
    order = np.lexsort((-rows.data, owner))
    rank = np.arange(len(order)) - np.repeat(rows.indptr[:-1], lengths)
    keep = np.sort(order[rank < top])
    indptr = np.concatenate(([0], np.cumsum(np.minimum(lengths, top))))
    return csr_array((rows.data[keep], rows.indices[keep], indptr), shape=rows.shape)


def weights_of(rows: Sequence[Mapping[int, float]], vocabulary: int) -> csr_array:
    """Return weights as a sparse matrix: CSR float32 [n, vocabulary] with sorted indices.

    rows:       for each of the n rows, a mapping: index of a term -> its weight.
    vocabulary: number of terms in the vocabulary.
    """
    ordered = [sorted(row.items()) for row in rows]
    indptr = np.cumsum([0, *(len(row) for row in ordered)]).astype(np.int32)
    flat = [item for row in ordered for item in row]
    indices = np.array([index for index, _ in flat], np.int32)
    weights = np.array([weight for _, weight in flat], np.float32)
    return csr_array((weights, indices, indptr), shape=(len(rows), vocabulary))
