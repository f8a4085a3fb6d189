"""Attaches separate vectors to documents before they are sent, as `with_vectors` does locally."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..core.errors import InvalidInputError, shown


class Attached:
    """Distributes rows of vectors to documents, in order.

    vectors: name of a leg -> rows in the order of the documents: an array [rows, dimensions], a
             sparse matrix of SciPy, or an iterable of vectors. None: no vectors are attached.
    """

    def __init__(self, vectors: Mapping[str, Any] | None) -> None:
        if vectors is not None and not isinstance(vectors, Mapping):
            raise InvalidInputError(
                f'must be a mapping {{"leg": array}}, got {shown(vectors)}', field="vectors"
            )
        self._rows = {leg: _rows(one, f"vectors.{leg}") for leg, one in (vectors or {}).items()}

    def take(self, document: dict[str, Any], position: int) -> None:
        """Add the next row of each leg to the vectors of a document.

        A document with `passages` takes one row for each passage.

        document: fields of the document; changed in place.
        position: number of the document in the input, from 0.

        Raises InvalidInputError if a leg has no row left, or if the document already has a vector
        for the leg.
        """
        if not self._rows:
            return
        own = document.get("vectors") or {}
        if not isinstance(own, Mapping):
            return  # The service refuses the document.
        name = document.get("id", document.get("_id"))
        found = dict(own)
        for leg, rows in self._rows.items():
            field = f"vectors.{leg}"
            if leg in found:
                raise InvalidInputError(
                    f"document {name!r} already has a vector for this leg; remove one", field=field
                )
            passages = document.get("passages")
            several = isinstance(passages, list | tuple) and bool(passages)
            taken = []
            for _ in range(len(passages) if several and passages else 1):
                row = next(rows, _END)
                if row is _END:
                    raise InvalidInputError(
                        f"has no row for document {name!r} (number {position}, from 0); a "
                        "document takes one row, or one row for each of its own passages",
                        field=field,
                    )
                taken.append(row)
            found[leg] = taken if several else taken[0]
        document["vectors"] = found

    def end(self, count: int) -> None:
        """Raise InvalidInputError if rows of a leg are left after the last document.

        count: number of documents, for the error.
        """
        for leg, rows in self._rows.items():
            if next(rows, _END) is not _END:
                raise InvalidInputError(
                    f"has more rows than there are documents ({count}); a document takes one row, "
                    "or one row for each of its own passages",
                    field=f"vectors.{leg}",
                )


_END = object()
"""Marks the end of the rows."""


def _rows(rows: Any, field: str) -> Iterator[Any]:
    """Yield the rows of an array, a sparse matrix or an iterable."""
    sparse = sys.modules.get("scipy.sparse")  # No sparse matrix exists before this import.
    if sparse is not None and sparse.issparse(rows):
        return _matrix(rows.tocsr())
    if hasattr(rows, "__array__") and getattr(rows, "ndim", None) == 2:
        try:
            rows = rows.__array__()
        except (TypeError, ValueError, RuntimeError) as error:
            raise InvalidInputError(
                f"cannot be converted to a NumPy array ({error}); for a PyTorch tensor, "
                "pass tensor.detach().cpu().float().numpy()",
                field=field,
            ) from None
    elif hasattr(rows, "__array_interface__"):
        raise InvalidInputError(
            f"must be an array [rows, dimensions], got the shape {list(rows.shape)}", field=field
        )
    if isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Iterable):
        raise InvalidInputError(
            f"must be an array [rows, dimensions] or an iterable of vectors, got {shown(rows)}",
            field=field,
        )
    return (_single(row, f"{field}[{i}]") for i, row in enumerate(rows))


def _matrix(matrix: Any) -> Iterator[dict[str, Any]]:
    """Yield the rows of a sparse matrix in CSR form."""
    for row in range(matrix.shape[0]):
        start, stop = int(matrix.indptr[row]), int(matrix.indptr[row + 1])
        yield {"indices": matrix.indices[start:stop], "values": matrix.data[start:stop]}


def _single(row: Any, field: str) -> Any:
    """Return the row unchanged. Raises InvalidInputError if it contains several vectors."""
    first = row[0] if isinstance(row, list | tuple) and row else None
    several = isinstance(first, list | tuple | Mapping) or hasattr(first, "indices")
    if several or getattr(row, "ndim", 1) > 1 or getattr(first, "ndim", 0) > 0:
        raise InvalidInputError("must be one vector, got several", field=field)
    return row
