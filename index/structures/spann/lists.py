"""From spilled entries to posting lists, no longer than a limit.

A list keeps the entries of vectors whose nearest head it has: so no vector loses its last list.
After them come those that are nearest, up to the limit.
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
    """Entries that a list may have, for so many in all."""
    return max(LEAST_LIMIT, math.ceil(LIMIT_RATIO * entries / lists))


def kept(entries: Entries, places: NDArray[np.int64], limit: int) -> NDArray[np.bool_]:
    """Which entries stay; `places` says where in its list each stands."""
    stay: NDArray[np.bool_] = (places < limit) | (entries["nearest"] != 0)
    return stay


def write_lists(
    directory: Path, spill: Spill, stride: int, limit: int, memberships: NDArray[np.uint8]
) -> NDArray[np.int64]:
    """Write all lists, in order; int64 [lists], how long each is.

    memberships: uint8 [rows], zeros; becomes the number of lists that each vector is in.
    """
    lengths = []
    with PostingsWriter(directory, stride) as writer:
        for file in range(len(spill)):
            first, last = spill.bounds(file)
            entries = spill.read(file)
            starts = np.searchsorted(entries["list"], np.arange(first, last + 1))
            places = np.arange(len(entries)) - starts[entries["list"] - first]
            entries = entries[kept(entries, places, limit)]
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
