"""Reads Parquet and Arrow files in batches. Runs in the process that converts files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from ..formats.limits import Limits
from ..formats.reasons import DAMAGED, TOO_LARGE, UnreadableError

ROWS = 1_000
"""Maximum number of rows in a batch."""
BATCH_BYTES = 16 << 20
"""Maximum size of a batch in bytes, unless it has one row."""
ROW_BYTES = 64 << 20
"""Maximum size of a row in bytes, the same as of a line of JSON."""
_PIECE = 1 << 20


def describe(path: Path, limits: Limits, options: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield the description of a file: one JSON object, as bytes.

    The key `names` holds the names of the columns, and `lists` the names of those with lists of
    numbers. The key `rows` holds the number of rows, or null if it is unknown.
    """
    with _opened(path) as (schema, count, _):
        lists = [one.name for one in schema if _is_list_of_numbers(one.type)]
        yield orjson.dumps({"names": schema.names, "lists": lists, "rows": count})


def _is_list_of_numbers(kind: Any) -> bool:
    from pyarrow import types

    if not (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)):
        return False
    return bool(types.is_floating(kind.value_type) or types.is_integer(kind.value_type))


def batches(path: Path, limits: Limits, options: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield the rows of a file in order, in batches. Each batch is an Arrow stream, as bytes.

    options: `columns`, the names of the columns to read.

    The process that receives a batch does not check it, and holds it in memory. Each batch is
    therefore validated here, and each row gets its own copy of its values. Otherwise, a value that
    the file stores once for many rows could fill the memory of the receiving process.

    Raises UnreadableError for a damaged file, and for a row of more than `ROW_BYTES` bytes.
    """
    first = 1
    with _opened(path) as (_, _, read):
        for batch in read(options["columns"]):
            size = max(1, batch.nbytes // max(1, batch.num_rows))
            step = max(1, min(ROWS, BATCH_BYTES // size))
            for start in range(0, batch.num_rows, step):
                part = batch.slice(start, step)
                part.validate(full=True)
                for one in _pieces(_plain(part), first + start):
                    yield _serialized(one)
            first += batch.num_rows


def _plain(batch: Any) -> Any:
    """Return a copy of a batch in which no value is shared by several rows."""
    import pyarrow

    columns = []
    for column in batch.columns:
        kind = _plain_type(column.type)
        same = kind == column.type
        columns.append(column if same else pyarrow.array(column.to_pylist(), kind))
    return pyarrow.record_batch(columns, names=batch.schema.names)


def _plain_type(kind: Any) -> Any:
    """Return the type of the same values without dictionaries, repetitions and views."""
    import pyarrow
    from pyarrow import types

    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return _plain_type(kind.value_type)
    if types.is_string_view(kind):
        return pyarrow.large_string()
    if types.is_binary_view(kind):
        return pyarrow.large_binary()
    if isinstance(kind, pyarrow.BaseExtensionType):
        inner = _plain_type(kind.storage_type)
        return kind if inner == kind.storage_type else inner
    if types.is_list_view(kind) or types.is_large_list_view(kind):
        return pyarrow.large_list(_plain_type(kind.value_type))
    if types.is_struct(kind):
        fields = [one.with_type(_plain_type(one.type)) for one in kind]
        return pyarrow.struct(fields)
    if types.is_map(kind):
        return pyarrow.map_(_plain_type(kind.key_type), _plain_type(kind.item_type))
    if types.is_fixed_size_list(kind):
        return pyarrow.list_(_plain_field(kind), kind.list_size)
    if types.is_list(kind):
        return pyarrow.list_(_plain_field(kind))
    if types.is_large_list(kind):
        return pyarrow.large_list(_plain_field(kind))
    return kind


def _plain_field(kind: Any) -> Any:
    return kind.value_field.with_type(_plain_type(kind.value_type))


def _pieces(batch: Any, first: int) -> Iterator[Any]:
    """Yield parts of a batch of at most `BATCH_BYTES` bytes each.

    first: number of the first row of the batch in the file.

    Raises UnreadableError for a row of more than `ROW_BYTES` bytes.
    """
    if batch.nbytes <= BATCH_BYTES:
        yield batch
    elif batch.num_rows > 1:
        half = batch.num_rows // 2
        yield from _pieces(batch.slice(0, half), first)
        yield from _pieces(batch.slice(half), first + half)
    elif batch.nbytes <= ROW_BYTES:
        yield batch
    else:
        message = f"row {first:,} has more than {ROW_BYTES:,} bytes; remove it, or split its text"
        raise UnreadableError(TOO_LARGE, message)


def _serialized(batch: Any) -> bytes:
    import pyarrow
    from pyarrow import ipc

    sink = pyarrow.BufferOutputStream()
    with ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, int | None, Any]]:
    """Yield (schema of the columns, number of rows, function that reads columns) of a file.

    A file that begins as Parquet is read as Parquet, whatever its name.
    """
    import pyarrow
    from pyarrow import ipc, parquet

    with path.open("rb") as file:
        is_parquet = file.read(4) == b"PAR1"
    try:
        if is_parquet or path.suffix.lower() == ".parquet":
            with parquet.ParquetFile(path, buffer_size=_PIECE, pre_buffer=False) as found:
                yield found.schema_arrow, found.metadata.num_rows, _parquet_reader(found)
            return
        with pyarrow.memory_map(str(path)) as source:
            try:
                opened = ipc.open_file(source)
            except pyarrow.ArrowInvalid:  # A stream has no footer.
                source.seek(0)
                opened = ipc.open_stream(source)
            with opened:
                yield opened.schema, None, lambda names: _arrow_batches(opened, names)
    except MemoryError:
        raise
    except (pyarrow.ArrowException, OSError) as error:
        message = f"is not a valid {path.suffix.lower()} file ({str(error)[:200]}); create it again"
        raise UnreadableError(DAMAGED, message) from None


def _parquet_reader(file: Any) -> Any:
    def read(names: list[str]) -> Iterator[Any]:
        groups = [file.metadata.row_group(n) for n in range(file.metadata.num_row_groups)]
        rows = max(1, sum(max(0, group.num_rows) for group in groups))
        size = sum(max(0, group.total_byte_size) for group in groups) // rows
        count = max(1, min(ROWS, BATCH_BYTES // max(1, size)))
        return file.iter_batches(count, columns=names, use_threads=False)  # type: ignore[no-any-return]

    return read


def _arrow_batches(file: Any, names: list[str]) -> Iterator[Any]:
    if hasattr(file, "num_record_batches"):
        found = (file.get_batch(number) for number in range(file.num_record_batches))
    else:
        found = iter(file)
    return (batch.select(names) for batch in found)
