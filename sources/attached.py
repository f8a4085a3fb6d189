"""Vectors that are separate from the documents. Row n belongs to document n."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import Document, InvalidInputError
from ..core.errors import shown
from .document import CheckedDocuments, checked_documents
from .vectors import (
    Checked,
    SparseVector,
    as_array,
    check_matrix,
    check_single,
    check_vector,
    is_array,
)

BLOCK = 4_096
"""Number of rows that are read and checked at once."""

Rows = Any
"""One vector for each document or passage: an array [rows, dimensions], a sparse matrix of SciPy,
or an iterable of vectors."""


class CheckedVectors(Iterator[Checked]):
    """An iterator over checked vectors. `with_vectors` does not check them again."""

    def __init__(self, vectors: Iterable[Checked]) -> None:
        self._vectors = iter(vectors)

    def __next__(self) -> Checked:
        return next(self._vectors)


def with_vectors(
    documents: Iterable[Document | Mapping[str, object]], vectors: Mapping[str, Rows]
) -> CheckedDocuments:
    """Return an iterator over the documents, each with its vectors.

    vectors: name of a leg -> rows, in the order of the documents. A document without its own
             `passages` takes one row. A document with passages takes one row for each of them.

    Raises InvalidInputError if the numbers of documents and rows differ, if a row is invalid, or if
    a document already has a vector for the leg. If the documents are a list, and the number of rows
    is known, the numbers are compared at once, before the first document is returned.
    """
    if not isinstance(vectors, Mapping):
        raise InvalidInputError(
            f'must be a mapping {{"leg": array}}, got {shown(vectors)}', field="vectors"
        )
    counts = {leg: count for leg, one in vectors.items() if (count := _length(one)) is not None}
    if isinstance(documents, list | tuple):
        check_counts(counts, len(documents), sum(map(rows_of, documents)))
    rows = {leg: _rows(one, f"vectors.{leg}") for leg, one in vectors.items()}
    return CheckedDocuments(_attached(checked_documents(documents), rows))


def check_counts(rows: Mapping[str, int], documents: int, taken: int) -> None:
    """Raise InvalidInputError if the number of rows of a leg differs from `taken`.

    rows:      name of a leg -> number of its rows.
    documents: number of documents.
    taken:     number of rows that the documents take. A document takes one row, or one for each of
               its own passages.
    """
    for leg, count in rows.items():
        if count != taken:
            many = "is 1 document" if documents == 1 else f"are {documents:,} documents"
            its = "" if taken == documents else f", which take {taken:,} rows"
            raise InvalidInputError(
                f"has {count:,} rows, but there {many}{its}; a document takes "
                "one row, or one row for each of its own passages",
                field=f"vectors.{leg}",
            )


def rows_of(document: Document | Mapping[str, object]) -> int:
    """Return the number of rows that a document takes: one for each of its own passages, or 1."""
    own: object = getattr(document, "passages", ())
    if isinstance(document, Mapping):
        own = document.get("passages")
    return max(1, len(own)) if isinstance(own, list | tuple) else 1


def _length(rows: Rows) -> int | None:
    """Return the number of rows of an array, a sparse matrix or a list; None if it is unknown."""
    shape = getattr(rows, "shape", None)
    if isinstance(shape, tuple) and len(shape) == 2:
        return int(shape[0])
    return len(rows) if isinstance(rows, list | tuple) else None


def _attached(
    documents: CheckedDocuments, rows: Mapping[str, Iterator[Checked]]
) -> Iterator[Document]:
    count = 0
    for document in documents:
        found = dict(document.vectors)
        for leg, own in rows.items():
            if leg in found:
                raise InvalidInputError(
                    f"document {document.id!r} already has a vector for this leg; remove one",
                    field=f"vectors.{leg}",
                )
            found[leg] = _taken(own, leg, len(document.passages), document, count)
        count += 1
        yield replace(document, vectors=found)
    for leg, own in rows.items():
        if next(own, None) is not None:
            raise InvalidInputError(
                f"has more rows than there are documents ({count}); a document takes one row, or "
                "one row for each of its own passages",
                field=f"vectors.{leg}",
            )


def _taken(
    rows: Iterator[Checked], leg: str, passages: int, document: Document, position: int
) -> Checked:
    """Return the next row, or the next `passages` rows together if the document has passages."""
    taken = []
    for _ in range(max(1, passages)):
        row = next(rows, None)
        if row is None:
            raise InvalidInputError(
                f"has no row for document {document.id!r} (number {position}, from 0); a "
                "document takes one row, or one row for each of its own passages",
                field=f"vectors.{leg}",
            )
        taken.append(row)
    return taken[0] if not passages else check_vector(taken, f"vectors.{leg}")


def _rows(rows: Rows, field: str) -> Iterator[Checked]:
    """Yield the checked rows of an array, a sparse matrix or an iterable."""
    if isinstance(rows, CheckedVectors):
        return rows
    if is_array(rows) and getattr(rows, "ndim", None) == 2:
        return blocks(as_array(rows, field), field)
    if isinstance(rows, np.ndarray):
        raise InvalidInputError(
            f"must be an array [rows, dimensions], got the shape {list(rows.shape)}", field=field
        )
    sparse = sys.modules.get("scipy.sparse")  # No sparse matrix exists before this import.
    if sparse is not None and sparse.issparse(rows):
        return _matrix(rows.tocsr(), field)
    if isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Iterable):
        raise InvalidInputError(
            f"must be an array [rows, dimensions] or an iterable of vectors, got {shown(rows)}",
            field=field,
        )
    return (check_single(row, f"{field}[{i}]") for i, row in enumerate(rows))


def blocks(array: NDArray[Any], field: str) -> Iterator[Checked]:
    """Yield the checked rows of an array [rows, dimensions]."""
    for first in range(0, len(array), BLOCK):
        yield from check_matrix(array[first : first + BLOCK], field, first)


def _matrix(matrix: Any, field: str) -> Iterator[Checked]:
    for row in range(matrix.shape[0]):
        start, stop = int(matrix.indptr[row]), int(matrix.indptr[row + 1])
        yield check_vector(
            SparseVector(matrix.indices[start:stop], matrix.data[start:stop]), f"{field}[{row}]"
        )
