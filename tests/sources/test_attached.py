"""Vectors beside the documents: arrays, sparse matrices and files."""

from __future__ import annotations

import gzip
import math

import numpy as np
import pytest
from scipy.sparse import csr_array

from twindex.core import Document, InvalidInputError, Passage, SourceError
from twindex.sources import (
    FieldNames,
    SparseVector,
    read_vectors,
    with_vectors,
)
from twindex.sources.vector_files import column_of, count_vectors

from .lines import write

ROWS = np.arange(12, dtype=np.float32).reshape(4, 3) / 7
DOCUMENTS = [Document(str(i), "bird") for i in range(4)]


def attached(rows, documents=DOCUMENTS):
    return [one.vectors["dense"] for one in with_vectors(documents, {"dense": rows})]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4", "int8", "uint64"])
def test_npy_rows_reach_their_documents(tmp_path, dtype, order):
    path = tmp_path / "v.npy"
    rows = np.asarray(ROWS * 7, dtype=dtype, order=order)
    np.save(path, rows)
    for found in (attached(rows), attached(read_vectors(path)), attached(rows.tolist())):
        assert np.array_equal(np.stack(found), rows.astype(np.float32))
        assert found[0].dtype == np.float32


def test_parquet_rows_reach_their_documents(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    lists = arrow.array(ROWS.tolist(), arrow.list_(arrow.float64()))
    fixed = arrow.array(ROWS.tolist(), arrow.list_(arrow.float32(), 3))
    table = arrow.table({"id": [1, 2, 3, 4], "a": lists, "b": fixed})
    path = tmp_path / "v.parquet"
    parquet.write_table(table, path, row_group_size=3)
    for name in ("a", "b"):
        assert np.array_equal(np.stack(attached(read_vectors(f"{path}:{name}"))), ROWS)
    with pytest.raises(SourceError, match=r"has 2 columns .* \(a, b\); name one, as in FILE"):
        list(read_vectors(path))
    for name in ("id", "c"):
        message = rf"{name}: is not a column of lists of numbers; name one of a, b"
        with pytest.raises(SourceError, match=message):
            list(read_vectors(f"{path}:{name}"))
    broken = [[1.0, 2.0], None, [math.nan, 1.0], [1.0, None]]
    for value in broken[1:]:
        rows = [broken[0], value]
        parquet.write_table(
            arrow.table({"a": arrow.array(rows, arrow.list_(arrow.float32()))}), path
        )
        with pytest.raises(SourceError, match=r"v\.parquet: a\[1\]"):
            list(read_vectors(path))


@pytest.mark.parametrize("column", ["", ":id", ":c"])
def test_a_parquet_file_without_lists_is_refused_with_a_remedy(tmp_path, column):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "v.parquet"
    texts = arrow.array([["a"], ["b"]])
    parquet.write_table(arrow.table({"id": [1, 2], "texts": texts}), path)
    with pytest.raises(SourceError) as caught:
        list(read_vectors(f"{path}{column}"))
    assert caught.value.message == (
        "has no column of lists of numbers, only id, texts; write each vector as a list of numbers"
    )


def test_json_lines_of_vectors_reach_their_documents(tmp_path):
    path = write(tmp_path / "v.jsonl", *ROWS.tolist()[:3], {"indices": [2], "values": [1.5]})
    found = attached(read_vectors(path))
    assert np.array_equal(np.stack(found[:3]), ROWS[:3])
    assert isinstance(found[3], SparseVector)
    write(path, [1.0], [1.0, "x"])
    with pytest.raises(SourceError) as caught:
        list(read_vectors(path))
    assert (caught.value.line, caught.value.field) == (2, "vector[1]")


def test_sparse_matrices_reach_their_documents():
    matrix = csr_array(([1.0, 2.0], ([0, 3], [5, 2])), shape=(4, 9))
    found = attached(matrix)
    assert [one.indices.tolist() for one in found] == [[5], [], [], [2]]


def test_passages_take_a_row_each():
    documents = [
        Document("1", "bird", passages=[Passage(0, 2), Passage(2, 4)]),
        Document("2", "bird"),
        Document("3", "bird", passages=[Passage(0, 4)]),
    ]
    found = attached(ROWS, documents)
    assert [one.tolist() for one in found] == [
        ROWS[:2].tolist(), ROWS[2].tolist(), ROWS[3:].tolist()
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (iter(ROWS[:3]), "has no row for document '3'"),
        (iter(np.concatenate([ROWS, ROWS])), "more rows than there are documents"),
        (ROWS[0], "must be an array [rows, dimensions], got the shape [3]"),
        ("dense.npy", "must be an array [rows, dimensions] or an iterable"),
        ([ROWS] * 4, "must be one vector, got several"),
        (np.where(ROWS[2, 1] == ROWS, np.nan, ROWS), "got nan"),
    ],
)
def test_wrong_rows_are_refused(rows, words):
    with pytest.raises(InvalidInputError) as caught:
        attached(rows)
    assert words in caught.value.message
    assert (caught.value.field or "").startswith("vectors.dense")


@pytest.mark.parametrize("count", [0, 3, 5, 8])
def test_rows_of_a_list_are_counted_before_the_first_document(count):
    rows = np.ones((count, 3), dtype=np.float32)
    for wrong in (rows, list(rows)):
        with pytest.raises(InvalidInputError, match=f"has {count} rows, but there are 4 documents"):
            with_vectors(DOCUMENTS, {"dense": wrong})


@pytest.mark.parametrize("name", ["a.npy", "a.jsonl", "a.jsonl.gz", "a.parquet:v", "a.parquet"])
def test_vectors_are_counted_without_reading_them(tmp_path, name):
    path = tmp_path / name.partition(":")[0]
    lines = "".join(f"{row}\n\n" for row in ROWS.tolist()).encode()
    if path.suffix == ".npy":
        np.save(path, ROWS)
    elif path.suffix == ".parquet":
        arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        parquet.write_table(arrow.table({"v": ROWS.tolist(), "n": [0] * len(ROWS)}), path)
    else:
        path.write_bytes(gzip.compress(lines) if path.suffix == ".gz" else lines)
    assert count_vectors(tmp_path / name) == len(ROWS)
    assert column_of(tmp_path / name) == ("v" if path.suffix == ".parquet" else None)


def test_a_row_with_nan_is_named():
    with pytest.raises(InvalidInputError) as caught:
        attached(np.where(ROWS[2, 1] == ROWS, np.nan, ROWS))
    assert caught.value.field == "vectors.dense[2][1]"


def test_a_second_vector_for_a_leg_is_refused():
    documents = [Document("1", "bird", vectors={"dense": [1.0]})]
    with pytest.raises(InvalidInputError, match="already has a vector"):
        attached(ROWS[:1], documents)


@pytest.mark.parametrize("content", [b"", b"kiwi", b"\x93NUMPY\x01\x00"])
def test_files_of_other_formats_are_named(tmp_path, content):
    for name in ("v.npy", "v.parquet"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SourceError, match=name):
            list(read_vectors(tmp_path / name))


def test_nobody_is_told_to_read_a_pickle(tmp_path):
    (tmp_path / "v.npy").write_bytes(b"1 2 3")
    with pytest.raises(SourceError, match="its format is not that of") as caught:
        read_vectors(tmp_path / "v.npy")
    assert "pickle" not in str(caught.value)


def test_objects_in_npy_are_not_loaded(tmp_path):
    np.save(tmp_path / "v.npy", np.array([[{}]], dtype=object), allow_pickle=True)
    with pytest.raises(SourceError, match="not a NumPy array of numbers"):
        read_vectors(tmp_path / "v.npy")


def test_other_paths_are_refused(tmp_path):
    (tmp_path / "v.bin").write_bytes(b"")
    for name in ("v.bin", "missing.npy", "."):
        with pytest.raises(SourceError):
            read_vectors(tmp_path / name)


def test_blank_lines_of_vectors_are_skipped(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("[1, 2]\n\n  \n[3, 4]\n\n")
    assert [row.tolist() for row in read_vectors(path)] == [[1, 2], [3, 4]]


def test_rows_of_another_library_reach_their_documents():
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(ROWS.copy())
    for rows in (tensor, list(tensor)):
        assert np.array_equal(np.stack(attached(rows)), ROWS)
    with pytest.raises(InvalidInputError, match=r"^vectors.dense: .*pass tensor.detach\(\)"):
        attached(tensor.requires_grad_())


def test_an_omitted_field_is_not_stored():
    fields = FieldNames(omitted=("vectors", "note"))
    record = {"id": "1", "text": "kiwi", "vectors": [1.0], "note": "x", "year": 7}
    document = fields.document(record)
    assert (document.metadata, document.vectors) == ({"year": 7}, {})
    with pytest.raises(InvalidInputError, match="omitted: note is also in `metadata`"):
        FieldNames(metadata=("note",), omitted=("note",))
