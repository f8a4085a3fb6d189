"""Conversion of the entries in scratch files to posting lists of limited length.

An entry is one vector in one list, and the head of a list is the vector that represents the list. A
list keeps all vectors whose nearest head is its head. So every vector stays in at least one list.
The remaining space gets the other vectors that are nearest to the head.
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .postings import PostingsWriter
from .sizing import LEAST_LIMIT, LIMIT_RATIO
from .spill import Entries, Spill


def length_limit(entries: int, lists: int) -> int:
    """Return the maximum length of a list.

    entries: number of entries in all lists together.
    lists:   number of lists.
    """
    return max(LEAST_LIMIT, math.ceil(LIMIT_RATIO * entries / lists))


def entries_to_keep(
    entries: Entries, positions: NDArray[np.int64], limit: int
) -> NDArray[np.bool_]:
    """Return True for each entry to keep; see the module docstring for the rule.

    entries:   entries of some lists, as `Spill.read` returns them.
    positions: position of each entry in its list.
    limit:     maximum length of a list.
    """
    stay: NDArray[np.bool_] = (positions < limit) | (entries["nearest"] != 0)
    return stay


def write_lists(
    directory: Path, spill: Spill, stride: int, limit: int, memberships: NDArray[np.uint8]
) -> NDArray[np.int64]:
    """Write all posting lists, in order, and return the length of each list, int64 [lists].

    directory:   folder of the index, for the files of `PostingsWriter`.
    spill:       scratch files with the entries.
    stride:      bytes per code.
    limit:       maximum length of a list.
    memberships: output array, uint8 [rows], initially zero; receives the number of lists of each
                 vector.
    """
    lengths = []
    with PostingsWriter(directory, stride) as writer:
        for file in range(len(spill)):
            first, last = spill.bounds(file)
            entries = spill.read(file)
            starts = np.searchsorted(entries["list"], np.arange(first, last + 1))
            positions = np.arange(len(entries)) - starts[entries["list"] - first]
            entries = entries[entries_to_keep(entries, positions, limit)]
            np.add.at(memberships, entries["row"], 1)
            starts = np.searchsorted(entries["list"], np.arange(first, last + 1))
            for start, stop in itertools.pairwise(starts):
                here = entries[start:stop]
                writer.append(
                    np.ascontiguousarray(here["row"], dtype=np.int32),
                    np.ascontiguousarray(here["code"]),
                )
            lengths.append(np.diff(starts))
    return np.concatenate(lengths)
