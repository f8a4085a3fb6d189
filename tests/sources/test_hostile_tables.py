"""Hostile Parquet and Arrow files are named with a reason, and cost bounded memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow
import pytest
from pyarrow import ipc, parquet

from twindex.core import SourceError, StorageError
from twindex.sources import Limits, count_documents, read_documents
from twindex.sources.formats import Converter
from twindex.sources.vector_files import count_vectors, read_vectors

MB = 1 << 20
CODE = """
import json, sys
from twindex.sources import read_documents
errors = []
found = sum(1 for _ in read_documents(sys.argv[1], on_error=errors.append))
peak = next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("VmHWM"))
print(json.dumps([found, [[one.reason, str(one)] for one in errors], peak * 1024]))
"""


def measured(path: Path) -> tuple[int, list[list[str]], int]:
    """Read a file in a process. Return the number of documents, the errors and peak memory."""
    done = subprocess.run([sys.executable, "-c", CODE, path], capture_output=True, check=True)
    count, errors, peak = json.loads(done.stdout)
    return count, errors, peak


def test_a_cell_that_expands_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pyarrow.table({"id": ["good", "bomb"], "text": ["x", "y" * (100 * MB)]})
    parquet.write_table(table, path, compression="zstd", use_dictionary=False, row_group_size=1)
    assert path.stat().st_size < MB
    count, errors, peak = measured(path)
    assert count == 1
    ((reason, message),) = errors
    assert reason == "too large"
    assert "row 2 has more than 67,108,864 bytes" in message
    assert "the rows after row 1 are not read" in message
    assert peak < 150 * MB


def shared(rows: int, size: int, kind: str) -> pyarrow.Array:
    """Return a column in which all rows have one value, which is stored once."""
    if kind == "views":
        column = pyarrow.array(["z" * size], pyarrow.string_view())
        _, views, text = column.buffers()
        return pyarrow.Array.from_buffers(
            column.type, rows, [None, pyarrow.py_buffer(views.to_pybytes()[:16] * rows), text]
        )
    value = pyarrow.array(["z" * size])
    if kind == "repetitions":
        return pyarrow.RunEndEncodedArray.from_arrays(pyarrow.array([rows], "int32"), value)
    return pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * rows, "int32"), value)


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        ("dictionary", ".parquet"),
        ("dictionary", ".arrow"),
        ("repetitions", ".arrow"),
        ("views", ".arrow"),
    ],
)
def test_a_column_that_expands_exceeds_the_limit_of_memory(
    tmp_path: Path, kind: str, suffix: str
) -> None:
    table = pyarrow.table({"id": list(range(1000)), "text": shared(1000, 900_000, kind)})
    path = tmp_path / f"a{suffix}"
    write(table, path)
    assert path.stat().st_size < 2 * MB
    errors: list[SourceError] = []
    limits = Limits(memory=600 * MB)
    assert not list(read_documents(path, on_error=errors.append, limits=limits))
    assert [error.reason for error in errors] == ["over a limit"]
    assert "raise the limit `memory`" in str(errors[0])


@pytest.mark.parametrize("kind", ["dictionary", "repetitions", "views"])
def test_values_that_rows_share_are_read(tmp_path: Path, kind: str) -> None:
    table = pyarrow.table({"id": list(range(2500)), "text": shared(2500, 20_000, kind)})
    path = tmp_path / "a.arrow"
    write(table, path)
    found = [(one.id, one.text) for one in read_documents(path)]
    assert found == [(str(number), "z" * 20_000) for number in range(2500)]


@pytest.mark.parametrize("offset", [-1, 1 << 30, 2])
def test_offsets_beyond_the_column_are_damage(tmp_path: Path, offset: int) -> None:
    column = pyarrow.array(["aa", "bb", "cc"])
    offsets = pyarrow.array([0, offset, 4 if offset != 2 else 1, 6], "int32").buffers()[1]
    text = pyarrow.Array.from_buffers(column.type, 3, [None, offsets, column.buffers()[2]])
    path = tmp_path / "a.arrow"
    write(pyarrow.table({"id": ["a", "b", "c"], "text": text}), path)
    errors: list[SourceError] = []
    assert not list(read_documents(path, on_error=errors.append))
    assert [error.reason for error in errors] == ["damaged"]


def write(table: pyarrow.Table, path: Path) -> None:
    if path.suffix == ".parquet":
        parquet.write_table(table, path)
        return
    with ipc.new_file(path, table.schema) as file:
        file.write_table(table)


def test_a_request_for_another_file_ends_the_first(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write(pyarrow.table({"id": list(range(3000)), "text": ["x"] * 3000}), path)
    reader = "twindex.sources.records.arrow_rows:batches"
    with Converter() as converter:
        first = converter.stream(path, reader, {"columns": ["id"]})
        next(first)
        second = converter.stream(path, reader, {"columns": ["id", "text"]})
        sizes = [ipc.open_stream(piece).read_all().num_rows for piece in second]
        with pytest.raises(StorageError, match=r"a\.parquet: another file was read with the same"):
            next(first)
        assert sizes == [1000, 1000, 1000]
        third = converter.stream(path, reader, {"columns": ["text"]})
        next(third)
        third.close()
        assert len(list(converter.stream(path, reader, {"columns": ["text"]}))) == 3


def test_a_declared_number_of_rows_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table({"id": ["a"] * 10_000, "text": ["x"] * 10_000}), path)
    true, false = (b"\xa0\x9c\x01", b"\xfe\xff\x7f")  # 10,000 and 1,048,575 as varints.
    content = path.read_bytes()
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    assert true in content[footer:]
    path.write_bytes(content[:footer] + content[footer:].replace(true, false))
    assert count_documents([path]) == 1_048_575
    errors: list[SourceError] = []
    assert sum(1 for _ in read_documents(path, on_error=errors.append)) <= 10_000
    assert {error.reason for error in errors} <= {"damaged"}


def test_the_content_decides_between_parquet_and_arrow(tmp_path: Path) -> None:
    path = tmp_path / "a.arrow"
    parquet.write_table(pyarrow.table({"id": ["a"], "text": ["x"]}), path)
    assert [one.id for one in read_documents(path)] == ["a"]


@pytest.mark.parametrize(
    "cut", [4, 12, *(pytest.param(one, marks=pytest.mark.slow) for one in (8, 100))]
)
def test_other_files_are_read_after_a_damaged_one(tmp_path: Path, cut: int) -> None:
    bad, good = tmp_path / "bad.parquet", tmp_path / "good.parquet"
    parquet.write_table(pyarrow.table({"id": ["a"], "text": ["x"]}), good)
    content = good.read_bytes()
    bad.write_bytes(content[:-cut] + b"\xff" * cut)
    errors: list[SourceError] = []
    found = [one.id for one in read_documents([bad, good], on_error=errors.append)]
    assert found == ["a"]
    assert [(error.path, error.reason) for error in errors] == [(bad, "damaged")]


VECTORS = CODE.replace("read_documents(sys.argv[1], on_error=errors.append)", "rows()").replace(
    "errors = []",
    """
from twindex.core import SourceError
from twindex.sources import read_vectors
errors = []
def rows():
    try:
        yield from read_vectors(sys.argv[1])
    except SourceError as error:
        errors.append(error)
""",
)


def test_a_vector_that_expands_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "v.parquet"
    long = pyarrow.array([[1.0] * 8, [0.0] * (20 * MB)], pyarrow.list_(pyarrow.float32()))
    parquet.write_table(pyarrow.table({"v": long}), path, compression="zstd", row_group_size=1)
    assert path.stat().st_size < MB
    done = subprocess.run([sys.executable, "-c", VECTORS, path], capture_output=True, check=True)
    count, errors, peak = json.loads(done.stdout)
    assert count == 1
    ((reason, message),) = errors
    assert (reason, "v.parquet: row 2 has more than" in message) == ("too large", True)
    assert peak < 200 * MB


def test_a_damaged_file_of_vectors_is_named(tmp_path: Path) -> None:
    path = tmp_path / "v.parquet"
    parquet.write_table(pyarrow.table({"v": [[float(i)] * 64 for i in range(500)]}), path)
    content = bytearray(path.read_bytes())
    content[200:600] = b"\xff" * 400
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"v\.parquet: "):
        list(read_vectors(path))
    assert count_vectors(path) == 500
    path.write_bytes(b"PAR1")
    with pytest.raises(SourceError, match=r"v\.parquet: is not a valid \.parquet file"):
        count_vectors(path)
