"""The part of a dense leg in a segment, whatever its index: originals, projection, structure.

    vectors.npy      the originals (`originals.py`); absent if none are kept
    projection.npz   how vectors got fewer dimensions, where they did
    storage.json     configuration, calibration, what the codec lost (`built.py`); absent if there
                     is no structure, only originals that are searched exactly
    ...              files of the structure

A search asks the structure for candidates, with parameters that the calibration gives for the
wanted recall, and scores them again from the originals. It is exact where that costs no more:
among few allowed rows, and for a k so large that the structure would be visited almost whole.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...core import NoProgress, Progress, Representation
from ..arrays.vectors import Vectors
from ..codecs.projection import Projection
from ..protocol import Mask, Ranking, check_rows, kept_rows
from ..structures import exact, originals
from ..structures.looking import DEFAULT_RECALL, VectorSearch
from ..structures.originals import Originals
from ..structures.protocol import Parameters, Structure
from . import building, built
from .built import Built
from .config import DenseLeg
from .kept import kept_blocks
from .rescoring import find
from .termless import Termless

T = TypeVar("T")

DECODED_FOR = 4_096
"""Queries that share the decoding of a block."""


class VectorSegment(Termless):
    """Inner product of dense vectors, exactly or nearly."""

    def __init__(
        self,
        vectors: Originals | None,
        indexed: Indexed | None,
        size: int,
        wanted: VectorSearch | None = None,
    ) -> None:
        """vectors, indexed: at least one of them. size: bytes of all files. wanted: how far
        searches look; None = as configured."""
        self._vectors = vectors
        self._indexed = indexed
        self._size = size
        self._wanted = wanted
        self._rows = len(vectors) if vectors is not None else _some(indexed).built.rows
        self.width = vectors.width if vectors is not None else _some(indexed).built.width
        """Dimensions of a vector."""

    def __len__(self) -> int:
        return self._rows

    # -- writing -----------------------------------------------------------------------------

    @classmethod
    def build(cls, directory: Path, rows: Representation, config: DenseLeg) -> None:
        """See SegmentPart. What is random is seeded, but FAISS adds to graphs by several threads:
        their links are not reproducible."""
        check_rows(len(rows))
        vectors = exact.storable(rows)
        shape = len(vectors), vectors.shape[1]
        building.write(
            directory, lambda: [vectors], *shape, config.storage, building.SEAL_MEMORY, NoProgress()
        )

    @classmethod
    def merge(
        cls,
        directory: Path,
        sources: Sequence[tuple[Self, Mask | None]],
        config: DenseLeg,
        memory: int,
        progress: Progress | None = None,
    ) -> None:
        """See SegmentPart. The sources may be stored in different ways."""
        rows, width = kept_rows(sources), sources[0][0].width
        blocks = partial(kept_blocks, sources, memory)
        building.write(
            directory, blocks, rows, width, config.storage, memory, progress or NoProgress()
        )

    # -- reading -----------------------------------------------------------------------------

    @classmethod
    def open(cls, directory: Path, config: DenseLeg) -> Self:
        """See SegmentPart. How it was built stands in the directory; `config` may be newer."""
        size = sum(file.stat().st_size for file in directory.iterdir())
        if (directory / built.FILE).exists():
            known = Built.load(directory)
            how = known.storage
            structure = how.index.structure(how.used_codec).open(directory, how)
        else:
            return cls(Originals.open(directory), None, size)
        if len(structure) != known.rows:
            raise ValueError(f"{built.FILE}: says {known.rows} rows of {len(structure)}")
        vectors: Originals | None = None
        if structure.exact_vectors is not None:
            vectors = Originals(structure.exact_vectors)
        elif known.storage.kept != "none":
            # What lies beside lists on disk is not in memory either.
            on_disk = known.storage.index.on_disk
            vectors = Originals.open(directory, cold=on_disk)
        if vectors is not None and (len(vectors), vectors.width) != (known.rows, known.width):
            raise ValueError(f"{originals.FILE}: not the vectors of {built.FILE}")
        projection = building.stored_projection(directory, known.storage)
        # How far searches look can change without the files.
        same = config.index.kind == known.storage.index.kind and known.calibration.levels
        configured = (config.storage if same else known.storage).index.search
        return cls(vectors, Indexed(structure, projection, known, configured), size)

    def read(self, start: int, stop: int) -> Vectors:
        """A copy of some vectors, as well as they are known."""
        if self._vectors is not None:
            return self._vectors.read(start, stop)
        indexed = _some(self._indexed)
        decoded = indexed.structure.read(start, stop)
        return decoded if indexed.projection is None else indexed.projection.lift(decoded)

    def take(self, rows: NDArray[np.int64]) -> Vectors:
        """See Dense."""
        if self._vectors is not None:
            return self._vectors.take(rows)
        return np.concatenate([self.read(row, row + 1) for row in rows.tolist()])

    def tuned(self, search: VectorSearch) -> Self:
        """See Approximate."""
        return type(self)(self._vectors, self._indexed, self._size, search)

    def parameters(self, search: VectorSearch, k: int) -> Parameters | None:
        """What a search for k results asks of the index; None = all vectors are compared."""
        return None if self._indexed is None else self._indexed.parameters(search, k, 1.0)

    def description(self) -> dict[str, Any]:
        """How the part is stored, in bytes, and what is known of its search; plain values.

        memory: bytes that its index holds; originals are mapped and not counted. parameters: those
        of a search for 10 results that says nothing, or "exact".
        """
        indexed = self._indexed
        if indexed is None:
            return built.described(len(self), self._size, self._vectors, None)
        parameters = indexed.parameters(indexed.configured, 10, 1.0)
        return built.described(len(self), self._size, self._vectors, indexed.built) | {
            "memory": indexed.structure.memory,
            "parameters": "exact" if parameters is None else dict(parameters),
            "calibration": indexed.built.calibration.as_json(),
        }

    # -- searching ---------------------------------------------------------------------------

    def search(self, queries: Representation, k: int, allowed: Mask | None) -> Ranking:
        """See LegPart. Finds k rows where as many are allowed."""
        vectors = exact.dense(queries)
        exact.check_width(vectors, self.width)
        indexed = self._indexed
        candidates = len(self) if allowed is None else int(np.count_nonzero(allowed))
        if indexed is None or candidates == 0:
            return self._exact(vectors, k, allowed)
        share = candidates / len(self)
        reach = min(len(self), math.ceil(k / share))  # Of so many rows, k are allowed.
        parameters = indexed.parameters(self._wanted or indexed.configured, reach, share)
        if parameters is None and self._vectors is None:
            parameters = indexed.structure.ladder()[-1]  # Its codes are all that is known.
        if parameters is None or (
            self._vectors is not None and candidates <= indexed.structure.cost(parameters, reach)
        ):
            return self._exact(vectors, k, allowed)
        structure, projection = indexed.structure, indexed.projection
        ranking = find(structure, projection, self._vectors, vectors, k, parameters, allowed)
        missed = ranking.rows[:, min(k, candidates) - 1] < 0  # Some rows may be out of reach.
        if missed.any():
            found = self._exact(vectors[missed], k, allowed)
            ranking.rows[missed], ranking.scores[missed] = found.rows, found.scores
        return ranking

    def _exact(self, queries: Vectors, k: int, allowed: Mask | None) -> Ranking:
        """The best k of all allowed rows, as well as these are known."""
        if self._vectors is not None:
            return exact.search(queries, self._vectors.array, k, allowed)
        return exact.scan(
            queries, len(self), k, allowed, self._products, gather=False, group=DECODED_FOR
        )

    def _products(self, queries: Vectors, rows: exact.Chosen) -> Vectors:
        assert isinstance(rows, slice), "they are read in sequence"
        products: Vectors = queries @ self.read(rows.start, rows.stop).T
        return products


@dataclass(frozen=True, slots=True)
class Indexed:
    """A structure, the projection before it, and what was written down of both."""

    structure: Structure
    projection: Projection | None
    built: Built
    configured: VectorSearch

    def parameters(self, wanted: VectorSearch, k: int, share: float) -> Parameters | None:
        """What the structure is asked with for k results; None = search exactly.

        share: of the rows, those that are allowed: parameters that are given are meant for all.
        """
        configured = self.configured
        asked = wanted.parameters
        if wanted.recall is None:  # Then what is not asked for is as configured.
            asked = {**configured.parameters, **asked}
        recall = wanted.recall or configured.recall or DEFAULT_RECALL
        if recall == 1 and not asked:
            return None
        if self.built.storage.kept == "none" and self.structure.exact_vectors is None:
            # Codes by themselves cannot find all: what is wanted is a share of what they can.
            recall *= self.built.calibration.most(k)
        calibrated = self.built.calibration.choose(recall, k)
        if not asked:
            return calibrated
        given = {
            name: value if name == "oversample" else math.ceil(value / share)
            for name, value in asked.items()
        }
        # What is not given is as calibrated, or as dear as can be.
        return {**(calibrated or self.structure.ladder()[-1]), **given}


def _some(value: T | None) -> T:
    assert value is not None, "a part has originals or a structure"
    return value
