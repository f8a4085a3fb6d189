"""A dense leg with one vector per passage, in one segment, for every kind of index.

    vectors.npy      the originals: the vectors as encoded (`originals.py`); absent if not stored
    projection.npz   the projection, if one is configured
    storage.json     configuration, calibration and loss (`built.py`); absent if there is no index,
                     only originals that are searched exactly
    ...              files of the index (a `Structure`)

A search takes candidates from the index, with the parameters that the calibration chooses for the
recall target, and rescores them with the originals. The search compares all allowed rows instead if
this costs no more: if the filter allows few rows, or if the index would visit almost all rows for a
large k.
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
from ..structures.originals import Originals
from ..structures.protocol import Parameters, Structure
from ..structures.vector_search import DEFAULT_RECALL, VectorSearch
from . import building, built
from .built import Built
from .config import DenseLeg
from .kept import kept_blocks
from .rescoring import search_candidates
from .termless import Termless

T = TypeVar("T")

DECODED_FOR = 4_096
"""Maximum number of queries that are scored together with one block of decoded vectors."""


class VectorSegment(Termless):
    """A dense leg with one vector per passage, in one segment.

    Ranks by inner product, exactly or approximately.
    """

    def __init__(
        self,
        vectors: Originals | None,
        indexed: Indexed | None,
        size: int,
        wanted: VectorSearch | None = None,
    ) -> None:
        """Create the part from its open files. At least one of `vectors` and `indexed` is required.

        vectors: the originals (vectors as encoded); None: not stored.
        indexed: the index; None: there is none.
        size: bytes of all files.
        wanted: search parameters; None: as configured.
        """
        self._vectors = vectors
        self._indexed = indexed
        self._size = size
        self._wanted = wanted
        self._rows = len(vectors) if vectors is not None else _required(indexed).built.rows
        self.width = vectors.width if vectors is not None else _required(indexed).built.width
        """Number of dimensions of a vector."""

    def __len__(self) -> int:
        return self._rows

    # -- writing -----------------------------------------------------------------------------

    @classmethod
    def build(cls, directory: Path, rows: Representation, config: DenseLeg) -> None:
        """See SegmentPart. The files are reproducible, except for the links of graphs.

        The links vary because FAISS builds graphs with several threads.
        """
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
        """See SegmentPart. The sources may have different storage options."""
        rows, width = kept_rows(sources), sources[0][0].width
        blocks = partial(kept_blocks, sources, memory)
        building.write(
            directory, blocks, rows, width, config.storage, memory, progress or NoProgress()
        )

    # -- reading -----------------------------------------------------------------------------

    @classmethod
    def open(cls, directory: Path, config: DenseLeg) -> Self:
        """See SegmentPart.

        The storage options come from the files. Those in `config` may have changed since the files
        were written.
        """
        size = sum(file.stat().st_size for file in directory.iterdir())
        if (directory / built.FILE).exists():
            known = Built.load(directory)
            storage = known.storage
            structure = storage.index.structure(storage.used_codec).open(directory, storage)
        else:
            return cls(Originals.open(directory), None, size)
        if len(structure) != known.rows:
            raise ValueError(
                f"{built.FILE} declares {known.rows} vectors, but the index has {len(structure)}"
            )
        vectors: Originals | None = None
        if structure.exact_vectors is not None:
            vectors = Originals(structure.exact_vectors)
        elif known.storage.kept != "none":
            # If the index searches on disk, its originals are usually not in memory either.
            on_disk = known.storage.index.on_disk
            vectors = Originals.open(directory, cold=on_disk)
        if vectors is not None and (len(vectors), vectors.width) != (known.rows, known.width):
            raise ValueError(
                f"{originals.FILE}: expected {known.rows} vectors of {known.width} dimensions, "
                f"found {len(vectors)} of {vectors.width} dimensions"
            )
        projection = building.stored_projection(directory, known.storage)
        # Search parameters can change without changes to the files.
        same = config.index.kind == known.storage.index.kind and known.calibration.levels
        configured = (config.storage if same else known.storage).index.search
        return cls(vectors, Indexed(structure, projection, known, configured), size)

    def read(self, start: int, stop: int) -> Vectors:
        """Return a copy of the vectors of rows `start` to `stop` (exclusive).

        These are the originals if they are stored, else the decoded vectors of the index.
        """
        if self._vectors is not None:
            return self._vectors.read(start, stop)
        indexed = _required(self._indexed)
        decoded = indexed.structure.read(start, stop)
        return decoded if indexed.projection is None else indexed.projection.lift(decoded)

    def take(self, rows: NDArray[np.int64]) -> Vectors:
        """Return the vectors of m rows, float32 [m, d], in the best precision that is stored.

        See `Dense.take`.
        """
        if self._vectors is not None:
            return self._vectors.take(rows)
        return np.concatenate([self.read(row, row + 1) for row in rows.tolist()])

    def tuned(self, search: VectorSearch) -> Self:
        """Return this part with other search parameters. See `Approximate.tuned`."""
        return type(self)(self._vectors, self._indexed, self._size, search)

    def parameters(self, search: VectorSearch, k: int) -> Parameters | None:
        """Return the index parameters that a search for k results without a filter uses.

        None: the search compares all rows.
        """
        return None if self._indexed is None else self._indexed.parameters(search, k, 1.0)

    def description(self) -> dict[str, Any]:
        """Return storage options, sizes, search parameters and measurements, as JSON values.

        rows: number of vectors.
        bytes_per_vector: mean size of a vector on disk.
        memory: bytes of the index in memory. Memory-mapped originals are not counted.
        parameters: index parameters of a search for 10 results as configured, or "exact".
        calibration, loss: measurements; see `Calibration` and `Built`. None: not measured.
        """
        indexed = self._indexed
        if indexed is None:
            return built.describe(len(self), self._size, self._vectors, None)
        parameters = indexed.parameters(indexed.configured, 10, 1.0)
        return built.describe(len(self), self._size, self._vectors, indexed.built) | {
            "memory": indexed.structure.memory,
            "parameters": "exact" if parameters is None else dict(parameters),
            "calibration": indexed.built.calibration.as_json(),
        }

    # -- searching ---------------------------------------------------------------------------

    def search(self, queries: Representation, k: int, allowed: Mask | None) -> Ranking:
        """See LegPart. Returns k rows if at least k are allowed."""
        vectors = exact.dense(queries)
        exact.check_width(vectors, self.width)
        indexed = self._indexed
        candidates = len(self) if allowed is None else int(np.count_nonzero(allowed))
        if indexed is None or candidates == 0:
            return self._exact(vectors, k, allowed)
        share = candidates / len(self)
        reach = min(len(self), math.ceil(k / share))  # On average, k of `reach` rows are allowed.
        parameters = indexed.parameters(self._wanted or indexed.configured, reach, share)
        if parameters is None and self._vectors is None:
            parameters = indexed.structure.ladder()[-1]  # There are only codes.
        if parameters is None or (
            self._vectors is not None and candidates <= indexed.structure.cost(parameters, reach)
        ):
            return self._exact(vectors, k, allowed)
        structure, projection = indexed.structure, indexed.projection
        ranking = search_candidates(
            structure, projection, self._vectors, vectors, k, parameters, allowed
        )
        missed = ranking.rows[:, min(k, candidates) - 1] < 0  # Some may be unreachable.
        if missed.any():
            found = self._exact(vectors[missed], k, allowed)
            ranking.rows[missed], ranking.scores[missed] = found.rows, found.scores
        return ranking

    def _exact(self, queries: Vectors, k: int, allowed: Mask | None) -> Ranking:
        """Return the best k rows for each query, by comparison with all allowed rows.

        Compares the originals if they are stored, else the decoded vectors of the index.
        """
        if self._vectors is not None:
            return exact.search(queries, self._vectors.array, k, allowed)
        return exact.scan(
            queries, len(self), k, allowed, self._products, gather=False, group=DECODED_FOR
        )

    def _products(self, queries: Vectors, rows: exact.Chosen) -> Vectors:
        assert isinstance(rows, slice), "rows are read in sequence"
        products: Vectors = queries @ self.read(rows.start, rows.stop).T
        return products


@dataclass(frozen=True, slots=True)
class Indexed:
    """An index, and what a search of it needs.

    structure: the index.
    projection: applied to the vectors in the index and to queries; None: no projection.
    built: the content of storage.json.
    configured: search parameters from the configuration of the collection.
    """

    structure: Structure
    projection: Projection | None
    built: Built
    configured: VectorSearch

    def parameters(self, wanted: VectorSearch, k: int, share: float) -> Parameters | None:
        """Return the index parameters of a search for k results; None: search exactly.

        Parameters that the request or the configuration names are meant for a search without a
        filter. They are therefore divided by `share`, except "oversample".

        wanted: recall target or parameters from the request.
        share: fraction of the rows that the filter allows, above 0.
        """
        configured = self.configured
        explicit = wanted.parameters
        if wanted.recall is None:  # Missing parameters come from the configuration.
            explicit = {**configured.parameters, **explicit}
        recall = wanted.recall or configured.recall or DEFAULT_RECALL
        if recall == 1 and not explicit:
            return None
        if self.built.storage.kept == "none" and self.structure.exact_vectors is None:
            # Codes alone cannot find all neighbours: the target is a share of their best recall.
            recall *= self.built.calibration.most(k)
        calibrated = self.built.calibration.choose(recall, k)
        if not explicit:
            return calibrated
        given = {
            name: value if name == "oversample" else math.ceil(value / share)
            for name, value in explicit.items()
        }
        # Missing parameters are those of the calibration, or the most expensive ones.
        return {**(calibrated or self.structure.ladder()[-1]), **given}


def _required(value: T | None) -> T:
    assert value is not None, "a part has originals or a structure"
    return value
