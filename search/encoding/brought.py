"""Checks and converts the vectors that callers supply with documents and queries.

For a leg, a document has either one vector, which all passages of the document share, or a list
with one vector for each passage.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...core import Document, InvalidInputError, Representation
from ...core.errors import shown
from ...core.near import did_you_mean
from ...encoders import EncoderConfig
from ...index import CollectionConfig, DenseLeg, EncodedDocument, SparseLeg
from ...sources import SparseVector, check_vector
from ...sources.vectors import LARGEST_OF_QUERY, Checked, Sparse
from .leg_encoders import LegEncoders

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Row = tuple[NDArray[np.int64], NDArray[np.float32]]
"""A sparse vector: indices in ascending order, and the weight at each index."""


class BroughtVectors:
    """Checks supplied vectors against the legs of a collection, and converts them. Thread-safe."""

    def __init__(self, config: CollectionConfig, encoders: LegEncoders) -> None:
        self._config = config
        self._encoders = encoders
        self._required = [name for name, leg in config.legs.items() if _is_external(leg.encoder)]

    def check(self, document: Document) -> None:
        """Raise InvalidInputError for a missing vector, or a vector that its leg does not accept.

        Every leg that encodes no text requires a vector.
        """
        self.check_legs(document)
        for leg, vector in document.vectors.items():
            for one in _several(vector):
                self._converted(leg, one, f"vectors.{leg}")

    def check_legs(self, document: Document) -> None:
        """Raise InvalidInputError for a missing vector, or a vector for a leg that accepts none.

        Does not check the vectors themselves; see `check`.
        """
        for leg in document.vectors:
            self._check_leg(leg, f"vectors.{leg}")
        for leg in self._required:
            if leg not in document.vectors:
                raise InvalidInputError(
                    f"is required, because leg {leg!r} encodes no text; give each document a "
                    "vector for this leg",
                    field=f"vectors.{leg}",
                )

    def covers(self, document: Document) -> bool:
        """Return True if the document has, for every leg, one vector for the whole document.

        Such a document need not be cut, because all its passages would have the same vectors.
        """
        return all(
            leg in document.vectors and not is_several(document.vectors[leg])
            for leg in self._config.legs
        )

    def of_documents(self, leg: str, batch: Sequence[EncodedDocument]) -> Representation:
        """Return one vector for each passage of documents that have vectors for a leg.

        Raises InvalidInputError for a vector that the leg does not accept, and if the number of
        vectors differs from the number of passages. The error names the document.
        """
        self._check_leg(leg, f"vectors.{leg}")
        rows = chain.from_iterable(self._passages(leg, item) for item in batch)
        if isinstance(self._config.legs[leg], DenseLeg):
            return Representation(dense=np.array(list(rows), dtype=np.float32))
        return Representation(sparse=self._stacked(leg, list(rows)))

    def query(self, leg: str, vector: object) -> Representation:
        """Return a query vector as a representation. Raises InvalidInputError if it is invalid."""
        field = f"vectors.{leg}"
        self._check_leg(leg, field)
        checked = check_vector(vector, field, LARGEST_OF_QUERY)
        if is_several(checked):
            raise InvalidInputError("must be one vector, got a list of vectors", field=field)
        row = self._converted(leg, checked, field)
        if isinstance(row, np.ndarray):
            return Representation(dense=row[None, :])
        if not len(row[0]):
            raise InvalidInputError("must have at least one weight above 0, got none", field=field)
        return Representation(sparse=self._stacked(leg, [row]))

    def sparse_query(self, leg: str, weights: Mapping[int, float]) -> Representation:
        """Return a query of a sparse leg. weights: vocabulary index -> weight."""
        indices = np.array(sorted(weights), dtype=np.int64)
        values = np.array([weights[index] for index in indices.tolist()], dtype=np.float32)
        kept = values > 0  # A tiny weight may be 0 as float32.
        return Representation(sparse=self._stacked(leg, [(indices[kept], values[kept])]))

    def _passages(self, leg: str, item: EncodedDocument) -> Iterator[NDArray[np.float32] | Row]:
        """Yield the vector of each passage of a document."""
        field, given = f"vectors.{leg}", item.document.vectors[leg]
        try:
            if not is_several(given):
                row = self._converted(leg, given, field)
                for _ in range(item.count):
                    yield row
                return
            if len(given) != item.count:
                raise InvalidInputError(
                    f"has {len(given)} vectors, but the document has {item.count} passages; give "
                    "one vector for the whole document, or `passages` and one vector for each of "
                    "them",
                    field=field,
                )
            for i, one in enumerate(_several(given)):
                yield self._converted(leg, one, f"{field}[{i}]")
        except InvalidInputError as error:
            message = f"document {item.document.id!r}: {error.message}"
            raise InvalidInputError(message, field=error.field) from None

    def _check_leg(self, leg: str, field: str) -> None:
        """Raise InvalidInputError if the leg does not exist, or accepts no vectors."""
        config = self._config.legs.get(leg)
        if config is None:
            legs, near = ", ".join(self._config.legs), did_you_mean(leg, self._config.legs)
            raise InvalidInputError(
                f"there is no leg {shown(leg)}; this collection has the legs {legs}{near}",
                field=field,
            )
        if not isinstance(config, DenseLeg | SparseLeg):
            raise InvalidInputError(
                f"leg {leg!r} is {config.kind}, and only dense and sparse legs accept vectors; use "
                "a text instead",
                field=field,
            )
        if config.multi:
            raise InvalidInputError(
                f"leg {leg!r} encodes each text as several vectors and accepts no vector from the "
                "caller; use a text instead",
                field=field,
            )

    def _converted(self, leg: str, vector: object, field: str) -> NDArray[np.float32] | Row:
        """Return a vector in the form of its leg: a dense array [d], or a sparse row.

        vector: one vector, as `check_vector` returns it.

        Raises InvalidInputError if the leg does not accept the vector.
        """
        width = self._encoders.width(leg)
        if isinstance(self._config.legs[leg], DenseLeg):
            if not isinstance(vector, np.ndarray):
                raise InvalidInputError(
                    f"leg {leg!r} is dense and requires a list of {width} numbers, got sparse "
                    "weights",
                    field=field,
                )
            if len(vector) != width:
                raise InvalidInputError(
                    f"must have {width} dimensions, got {len(vector)}", field=field
                )
            return vector
        if isinstance(vector, np.ndarray):
            raise InvalidInputError(
                f'leg {leg!r} is sparse and requires {{"term": weight, ...}} or {{"indices": '
                '[...], "values": [...]}, got a list of numbers',
                field=field,
            )
        assert isinstance(vector, SparseVector | Mapping), "check_vector returns these forms"
        return self._sparse(leg, vector, width, field)

    def _sparse(self, leg: str, vector: Sparse, width: int, field: str) -> Row:
        if isinstance(vector, SparseVector):
            if len(vector.indices) and vector.indices[-1] >= width:
                raise InvalidInputError(
                    f"each index must be below {width}, got {vector.indices[-1]}",
                    field=f"{field}.indices",
                )
            return vector.indices, vector.values
        known = self._encoders.terms(leg)
        found: dict[int, float] = {}
        for term, weight in vector.items():
            index = known.get(term)
            if index is None:
                raise InvalidInputError(
                    f"is not one of the {width} terms in the vocabulary of leg {leg!r}; use terms "
                    'of the leg\'s model, or {"indices": [...], "values": [...]}',
                    field=f"{field}.{term}",
                )
            found[index] = weight
        indices = np.array(sorted(found), dtype=np.int64)
        weights = np.array([found[index] for index in indices.tolist()], dtype=np.float32)
        kept = weights > 0  # A tiny weight may be 0 as float32.
        return indices[kept], weights[kept]

    def _stacked(self, leg: str, rows: Sequence[object]) -> csr_array:
        """Return sparse vectors as the rows of a CSR matrix, float32 [rows, dimensions]."""
        from scipy.sparse import csr_array  # It takes long to import.

        pairs = [row for row in rows if isinstance(row, tuple)]
        indptr = np.cumsum([0, *(len(indices) for indices, _ in pairs)], dtype=np.int32)
        indices = np.concatenate([np.empty(0, np.int64), *(one for one, _ in pairs)])
        values = np.concatenate([np.empty(0, np.float32), *(one for _, one in pairs)])
        return csr_array(
            (values, indices.astype(np.int32), indptr),
            shape=(len(pairs), self._encoders.width(leg)),
        )


def _is_external(encoder: EncoderConfig) -> bool:
    """Return True if an encoder encodes no documents, so that callers must supply the vectors."""
    return not encoder.inner.get("documents", encoder).encodes_text


def is_several(vector: Checked) -> bool:
    """Return True for a list of vectors, False for one vector."""
    return isinstance(vector, tuple) or (isinstance(vector, np.ndarray) and vector.ndim == 2)


def _several(vector: Checked) -> Sequence[object]:
    """Return the vectors of the passages; a list with one vector if all passages share it."""
    if isinstance(vector, tuple) or (isinstance(vector, np.ndarray) and vector.ndim == 2):
        return list(vector)
    return [vector]
