"""Vectors in files and arrays that are separate from the documents. Row n belongs to document n.

.npy       dense vectors, [rows, dimensions]
.jsonl     one vector on each line, dense or sparse (also .jsonl.gz)
.parquet   a column of lists of numbers, FILE.parquet or FILE.parquet:COLUMN
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from ..core import Document, InvalidInputError, MissingExtraError, SourceError
from ..core.errors import shown
from ..core.files import check_regular, unreadable
from .document import CheckedDocuments, checked_documents
from .lines import plain_suffix, read_lines
from .vectors import Checked, SparseVector, as_array, check_matrix, check_vector, is_array

BLOCK = 4_096
"""Number of rows that are read and checked at once."""
BUFFER = 1 << 20
"""Size in bytes of the buffer for each column of a Parquet file. Otherwise a whole row group is
read at once."""
SUFFIXES = (".npy", ".jsonl", ".parquet")

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

    vectors: leg -> rows, in the order of the documents. A document without its own `passages` takes
             one row. A document with passages takes one row for each of them.

    Raises InvalidInputError if the numbers of documents and rows differ, if a row is invalid, or if
    a document already has a vector for the leg.
    """
    if not isinstance(vectors, Mapping):
        raise InvalidInputError(
            f'must be a mapping {{"leg": array}}, got {shown(vectors)}', field="vectors"
        )
    rows = {leg: _rows(one, f"vectors.{leg}") for leg, one in vectors.items()}
    return CheckedDocuments(_attached(checked_documents(documents), rows))


def read_vectors(path: Path | str) -> CheckedVectors:
    """Return an iterator over the vectors of a file.

    path: a `.npy` array [rows, dimensions]; `.jsonl` or `.jsonl.gz` with one vector on each line;
          or a column of lists in a Parquet file, FILE.parquet:COLUMN. `:COLUMN` may be left out if
          the file has only one column of lists of numbers.

    Raises SourceError, which names the file and the row, for an invalid file or vector. Raises
    MissingExtraError for a Parquet file if PyArrow is not installed.
    """
    name, _, column = str(path).partition(".parquet:")
    if column:
        return CheckedVectors(_parquet(Path(f"{name}.parquet"), column))
    path = Path(path)
    suffix = plain_suffix(path)
    if suffix not in SUFFIXES:
        raise SourceError(
            f"must be a file of the type {', '.join(SUFFIXES)}, got {path.suffix or 'no suffix'}",
            path=path,
        )
    check_regular(path, "copy its contents to a regular file")
    if suffix == ".npy":
        return CheckedVectors(_npy(path))
    return CheckedVectors(_jsonl(path) if suffix == ".jsonl" else _parquet(path, None))


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
                f"has more rows than there are documents ({count}); each document, or each of its "
                "own passages, takes one row",
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
                f"has no row for document {document.id!r} (number {position}, from 0); each "
                "document, or each of its own passages, takes one row",
                field=f"vectors.{leg}",
            )
        taken.append(row)
    return taken[0] if not passages else check_vector(taken, f"vectors.{leg}")


def _rows(rows: Rows, field: str) -> Iterator[Checked]:
    """Yield the checked rows of an array, a sparse matrix or an iterable."""
    if isinstance(rows, CheckedVectors):
        return rows
    if is_array(rows) and getattr(rows, "ndim", None) == 2:
        return _blocks(as_array(rows, field), field)
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
    return (_single(row, f"{field}[{i}]") for i, row in enumerate(rows))


def _single(row: object, field: str) -> Checked:
    found = check_vector(row, field)
    if isinstance(found, tuple) or (isinstance(found, np.ndarray) and found.ndim != 1):
        raise InvalidInputError("must be one vector, got several", field=field)
    return found


def _blocks(array: NDArray[Any], field: str) -> Iterator[Checked]:
    for first in range(0, len(array), BLOCK):
        yield from check_matrix(array[first : first + BLOCK], field, first)


def _matrix(matrix: Any, field: str) -> Iterator[Checked]:
    for row in range(matrix.shape[0]):
        start, stop = int(matrix.indptr[row]), int(matrix.indptr[row + 1])
        yield check_vector(
            SparseVector(matrix.indices[start:stop], matrix.data[start:stop]), f"{field}[{row}]"
        )


def _npy(path: Path) -> Iterator[Checked]:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, SyntaxError, TokenError) as error:
        message = f"is not a NumPy array of numbers ({error}); write it with numpy.save"
        raise SourceError(message, path=path) from None
    except OSError as error:
        raise unreadable(path, error) from None
    if not isinstance(array, np.memmap) or array.ndim != 2:
        shape = list(array.shape) if isinstance(array, np.ndarray) else "several arrays"
        raise SourceError(f"must be an array [rows, dimensions], got {shape}", path=path)
    return _located(_read_blocks(array, path), path)


def _read_blocks(array: np.memmap[Any, Any], path: Path) -> Iterator[Checked]:
    """Yield the checked rows of a mapped file.

    Reads blocks of the file, because pages read through the map count as memory of the process.
    """
    rows, width = array.shape
    if not array.flags.c_contiguous:
        yield from _blocks(array, "row")
        return
    for first in range(0, rows, BLOCK):
        count = min(BLOCK, rows - first)
        offset = array.offset + first * width * array.itemsize
        block = np.fromfile(path, array.dtype, count * width, offset=offset)
        yield from check_matrix(block.reshape(count, width), "row", first)


def _located(rows: Iterator[Checked], path: Path) -> Iterator[Checked]:
    """Yield the rows. An error about a row becomes a SourceError with the path of the file."""
    try:
        yield from rows
    except InvalidInputError as error:
        raise SourceError(error.message, path=path, field=error.field) from None


def _jsonl(path: Path) -> Iterator[Checked]:
    for number, line in read_lines(path):
        if not line.strip():
            continue
        try:
            yield _single(orjson.loads(line), "vector")
        except orjson.JSONDecodeError as error:
            raise SourceError(
                f"the line is not valid JSON ({error.msg})", path=path, line=number
            ) from None
        except InvalidInputError as error:
            raise SourceError(error.message, path=path, line=number, field=error.field) from None


def _parquet(path: Path, column: str | None) -> Iterator[Checked]:
    """Yield the vectors in a column of lists.

    column: name of the column. None: the only column of lists of numbers.
    """
    check_regular(path, "copy its contents to a regular file")
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError:
        raise MissingExtraError("pyarrow", "documents") from None
    try:
        file = parquet.ParquetFile(path, buffer_size=BUFFER, pre_buffer=False)
    except (arrow.ArrowInvalid, OSError) as error:
        raise SourceError(f"is not a Parquet file ({error}); create it again", path=path) from None
    lists = [one.name for one in file.schema_arrow if _is_list(arrow, one.type)]
    if column is None and len(lists) == 1:
        column = lists[0]
    if column is None or column not in lists:
        if not lists:
            found = ", ".join(file.schema_arrow.names)
            message = f"has no column of lists of numbers, only {found or 'no column at all'}; "
            message += "write each vector as a list of numbers"
        elif column is None:
            message = f"has {len(lists)} columns of lists of numbers ({', '.join(lists)}); "
            message += "name one, as in FILE.parquet:COLUMN"
        else:
            message = f"is not a column of lists of numbers; name one of {', '.join(lists)}"
        raise SourceError(message, path=path, field=column)
    return _located(_lists(file, column), path)


def _is_list(arrow: Any, kind: Any) -> bool:
    types = arrow.types
    if not (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)):
        return False
    return bool(types.is_floating(kind.value_type) or types.is_integer(kind.value_type))


def _lists(file: Any, column: str) -> Iterator[Checked]:
    first = 0
    for batch in file.iter_batches(batch_size=BLOCK, columns=[column]):
        lists = batch.column(0)
        count = len(lists)
        lengths = np.diff(_offsets(lists))
        if lists.null_count or len(set(lengths.tolist())) > 1 or not lengths[:1].all():
            yield from (
                _single(row, f"{column}[{first + i}]") for i, row in enumerate(lists.to_pylist())
            )
        else:
            values = lists.flatten().to_numpy(zero_copy_only=False)
            yield from check_matrix(values.reshape(count, -1), column, first)
        first += count


def _offsets(lists: Any) -> NDArray[np.integer[Any]]:
    """Return where each list begins and ends in the values of a column, [rows + 1]."""
    if hasattr(lists, "offsets"):
        return np.asarray(lists.offsets)
    return np.arange(len(lists) + 1) * int(lists.type.list_size)
