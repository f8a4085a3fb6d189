"""Searches an index outside a collection as if it were the only segment of a collection.

This serves to measure index and codec settings.
"""

from __future__ import annotations

import numpy as np

from ...core import Representation
from ..config import CollectionConfig
from ..legs import LegConfig
from ..protocol import LegPart
from ..structures.vector_search import VectorSearch
from ..view import Handles, LegResult
from .segment import Passages
from .snapshot import Part, Snapshot, rows_for

_LEG = "leg"


class TrialSegment:
    """The index of one leg. It is searched as if it were the only segment of a collection."""

    def __init__(self, leg: LegConfig, part: LegPart, owners: Handles) -> None:
        """Create a segment with one leg.

        leg:    configuration of the leg.
        part:   index of the leg.
        owners: int64 [rows], number of the document to which each row belongs, ascending.
        """
        documents = 1 + int(np.count_nonzero(np.diff(owners)))
        passages = Passages(owners, np.full((len(owners), 2), -1, dtype=np.int32))
        self._spread = len(owners) / documents
        whole = Part(passages, {_LEG: part}, None, len(owners), self._spread)
        self._snapshot = Snapshot(0, CollectionConfig(legs={_LEG: leg}), [whole], {}, [])

    def search(
        self, queries: Representation, depth: int, how: VectorSearch | None = None
    ) -> list[LegResult]:
        """See View. The handle of a document is its number in `owners`."""
        return self._snapshot.search(_LEG, queries, depth, self._snapshot.masks(None), how)

    def reach(self, depth: int) -> int:
        """Return how many passages a search for `depth` documents requests from the index at first.

        If these passages belong to fewer documents, the search requests more passages.
        """
        return rows_for(depth, self._spread, len(self._snapshot.parts[0]))
