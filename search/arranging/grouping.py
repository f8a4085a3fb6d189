"""Groups of hits with the same value in a field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.results import Group
from ...index import FieldValues
from ...index.field_values import plain


@dataclass(frozen=True, slots=True)
class Grouped:
    """A page of groups.

    positions: int64 [m], the hits of the groups, one group after the other, as positions in the
               ranked list. A document with several values may occur several times.
    groups:    the groups, in the order of their best hits.
    total:     number of groups of the whole list.
    """

    positions: NDArray[np.int64]
    groups: Sequence[Group]
    total: int


def group_documents(
    values: FieldValues, order: NDArray[np.int64], size: int, offset: int, limit: int
) -> Grouped:
    """Return the groups `offset` to `offset + limit` of a ranked list.

    values: values of the field in n documents.
    order:  int64 [k], the documents of the list, best first, as positions from 0 to n - 1.
    size:   maximum number of hits of a group.
    """
    count = len(values.values)
    rank = np.full(int(order.max(initial=-1)) + 1, -1, dtype=np.int64)
    rank[order] = np.arange(len(order))
    listed = values.positions < len(rank)
    listed[listed] = rank[values.positions[listed]] >= 0
    has = np.zeros(len(rank), dtype=np.bool_)
    has[values.positions[listed]] = True
    without = order[~has[order]]
    ranks = np.concatenate([rank[values.positions[listed]], rank[without]])
    codes = np.concatenate([values.codes[listed], np.full(len(without), count, dtype=np.int64)])
    by_group = np.lexsort((ranks, codes))
    ranks, codes = ranks[by_group], codes[by_group]
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    stops = np.append(starts[1:], len(codes))
    # A document may be the best hit of several groups. These are ordered by value.
    best = np.lexsort((codes[starts], ranks[starts]))
    hits: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)]
    groups = []
    for group in best[offset : offset + limit].tolist():
        members = ranks[starts[group] : stops[group]]
        code = int(codes[starts[group]])
        value = None if code == count else plain(values.values[code])
        groups.append(Group(value, len(members), min(size, len(members))))
        hits.append(order[members[:size]])
    return Grouped(np.concatenate(hits), groups, len(starts))
