"""Vectors in files that are separate from the documents. Row n belongs to document n.

.npy       dense vectors, [rows, dimensions]
.jsonl     one vector on each line, dense or sparse (also .jsonl.gz)
.parquet   a column of lists of numbers, FILE.parquet or FILE.parquet:COLUMN
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from ..core import InvalidInputError, SourceError
from ..core.files import check_regular, unreadable
from .attached import BLOCK, CheckedVectors, blocks
from .formats.converter import Converter
from .formats.reasons import UnreadableError
from .lines import plain_suffix, read_lines
from .records.arrow import described, read_batches
from .vectors import Checked, check_matrix, check_single

SUFFIXES = (".npy", ".jsonl", ".parquet")


def read_vectors(path: Path | str) -> CheckedVectors:
    """Return an iterator over the vectors of a file.

    path: a `.npy` array [rows, dimensions]; `.jsonl` or `.jsonl.gz` with one vector on each line;
          or a column of lists in a Parquet file, FILE.parquet:COLUMN. `:COLUMN` may be left out if
          the file has only one column of lists of numbers.

    Raises SourceError, which names the file and the row, for an invalid file or vector. Raises
    MissingExtraError for a Parquet file if PyArrow is not installed.
    """
    path, column = split_column(path)
    if column is not None:
        return CheckedVectors(_parquet(path, column))
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


def split_column(path: Path | str) -> tuple[Path, str | None]:
    """Split `FILE.parquet:COLUMN` into the file and the column. The column may be absent (None)."""
    name, _, column = str(path).partition(".parquet:")
    return (Path(f"{name}.parquet"), column) if column else (Path(path), None)


def column_of(path: Path | str) -> str | None:
    """Return the name of the Parquet column that `read_vectors` reads; None for other files.

    Raises the errors of `read_vectors`.
    """
    file, column = split_column(path)
    if plain_suffix(file) != ".parquet":
        return None
    with Converter() as process:
        return _described(file, column, process)[1]


def count_vectors(path: Path | str) -> int:
    """Return the number of vectors in a file, without reading their numbers.

    The lines of JSON lines are counted, but not parsed. Raises the errors of `read_vectors`.
    """
    file, column = split_column(path)
    suffix = plain_suffix(file)
    if suffix == ".parquet":
        with Converter() as process:
            return _described(file, column, process)[0]
    read_vectors(path)  # Raises for a file of another type.
    if suffix == ".npy":
        return len(_open_npy(file))
    return sum(1 for _, line in read_lines(file) if line.strip())


def _npy(path: Path) -> Iterator[Checked]:
    return _located(_read_blocks(_open_npy(path), path), path)


def _open_npy(path: Path) -> np.memmap[Any, Any]:
    """Map an array [rows, dimensions]. Raises SourceError for any other file."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, SyntaxError, TokenError) as error:
        # NumPy's text for other files suggests reading them as pickles, which Twindex never does.
        cause = "its format is not that of .npy files" if "pickle" in str(error) else error
        message = f"is not a NumPy array of numbers ({cause}); write it with numpy.save"
        raise SourceError(message, path=path) from None
    except OSError as error:
        raise unreadable(path, error) from None
    if not isinstance(array, np.memmap) or array.ndim != 2:
        shape = list(array.shape) if isinstance(array, np.ndarray) else "several arrays"
        raise SourceError(f"must be an array [rows, dimensions], got {shape}", path=path)
    return array


def _read_blocks(array: np.memmap[Any, Any], path: Path) -> Iterator[Checked]:
    """Yield the checked rows of a mapped file.

    Reads blocks from the file instead of the map, because pages that are read through the map count
    as memory of the process.
    """
    rows, width = array.shape
    if not array.flags.c_contiguous:
        yield from blocks(array, "row")
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
    except SourceError:
        raise
    except InvalidInputError as error:
        raise SourceError(error.message, path=path, field=error.field) from None


def _jsonl(path: Path) -> Iterator[Checked]:
    for number, line in read_lines(path):
        if not line.strip():
            continue
        try:
            yield check_single(orjson.loads(line), "vector")
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
    return _located(_lists(path, column), path)


def _described(path: Path, column: str | None, process: Converter) -> tuple[int, str]:
    """Return the number of rows of a Parquet file, and the name of its column of vectors.

    column: name of the column. None: the only column of lists of numbers.
    """
    check_regular(path, "copy its contents to a regular file")
    with _readable(path):
        found = described(path, process)
    lists: list[str] = found["lists"]
    if column is None and len(lists) == 1:
        column = lists[0]
    if column is None or column not in lists:
        if not lists:
            known = ", ".join(found["names"])
            message = f"has no column of lists of numbers, only {known or 'no column at all'}; "
            message += "write each vector as a list of numbers"
        elif column is None:
            message = f"has {len(lists)} columns of lists of numbers ({', '.join(lists)}); "
            message += "name one, as in FILE.parquet:COLUMN"
        else:
            message = f"is not a column of lists of numbers; name one of {', '.join(lists)}"
        raise SourceError(message, path=path, field=column)
    return found["rows"] or 0, column


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn an UnreadableError into a SourceError that names the file."""
    try:
        yield
    except UnreadableError as error:
        raise SourceError(error.message, path=path, reason=error.reason) from None


def _lists(path: Path, column: str | None) -> Iterator[Checked]:
    """Yield the vectors in a column of a Parquet file, which another process reads within limits.

    column: name of the column. None: the only column of lists of numbers.
    """
    first = 0
    with Converter() as process, _readable(path):
        column = _described(path, column, process)[1]
        for batch in read_batches(path, process, [column]):
            yield from _rows(batch.column(0), column, first)
            first += len(batch)


def _rows(lists: Any, column: str, first: int) -> Iterator[Checked]:
    """Yield the checked vectors of a column of lists. first: number of its first row."""
    lengths = np.diff(_offsets(lists))
    if lists.null_count or len(set(lengths.tolist())) > 1 or not lengths[:1].all():
        for i, row in enumerate(lists.to_pylist()):
            yield check_single(row, f"{column}[{first + i}]")
        return
    values = lists.flatten().to_numpy(zero_copy_only=False)
    yield from check_matrix(values.reshape(len(lists), -1), column, first)


def _offsets(lists: Any) -> NDArray[np.integer[Any]]:
    """Return the offsets of a column's lists: list i has values offsets[i] to offsets[i + 1]."""
    if hasattr(lists, "offsets"):
        return np.asarray(lists.offsets)
    return np.arange(len(lists) + 1) * int(lists.type.list_size)
