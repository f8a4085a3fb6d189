"""Checks of the vectors and passages that documents bring, and their files."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from twindex.core import Document, InvalidInputError, Passage, SourceError
from twindex.sources import (
    FieldNames,
    SparseVector,
    check_vector,
    parse_document,
    read_jsonl_documents,
    read_table_documents,
    read_vectors,
    vectors_digest,
    with_vectors,
)

NUMBERS = st.floats(-1e8, 1e8, width=32)


@given(st.lists(NUMBERS, min_size=1, max_size=20))
def test_lists_and_arrays_become_the_same_float32(values):
    wanted = np.array(values, np.float32)
    for given_as in (values, tuple(values), wanted, wanted.astype(np.float64), list(wanted)):
        found = check_vector(given_as, "v")
        assert found.dtype == np.float32
        assert np.array_equal(found, wanted)


@given(
    st.dictionaries(st.integers(0, 2**31 - 1), st.floats(0, 1e8, width=32), max_size=20),
)
def test_forms_of_sparse_vectors_by_index_are_equal(weights):
    wanted = sorted((index, weight) for index, weight in weights.items() if weight > 0)
    forms = [{"indices": list(weights), "values": list(weights.values())}]
    forms += [weights] if weights else []
    for form in forms:
        found = check_vector(form, "v")
        pairs = zip(found.indices.tolist(), found.values.tolist(), strict=True)
        assert list(pairs) == wanted


@pytest.mark.parametrize(
    ("value", "field", "words"),
    [
        ([], "v", "must not be empty"),
        ([1, "x"], "v[1]", "must be a number, got 'x'"),
        ([1, True], "v[1]", "must be a number, got true"),
        ([1, None], "v[1]", "must be a number"),
        ([1.0, math.nan], "v[1]", "between -1e+08 and 1e+08, got nan"),
        ([1.0, -math.inf], "v[1]", "got -inf"),
        ([1.0, 10**400], "v[1]", "must be a number between"),
        ([0.0, 1.1e8], "v[1]", "must be a number between"),
        ("0.1,0.2", "v", "must be a list of numbers"),
        (None, "v", "must be a list of numbers"),
        (7, "v", "must be a list of numbers"),
        ([[1.0], [1.0, 2.0]], "v", "same dimensions"),
        ([[1.0], [math.inf]], "v[1][0]", "must be a number between"),
        (np.array(["a"]), "v", "array of numbers"),
        (np.array([1, np.inf], np.float16), "v[1]", "got inf"),
        (np.array([[1, np.nan]], np.float16), "v[0][1]", "got nan"),
        (np.zeros((1, 1, 1)), "v", "shape"),
        ({"kiwi": -1}, "v.kiwi", "a weight must be a number between 0"),
        ({"kiwi": math.nan}, "v.kiwi", "a weight must be"),
        ({"kiwi": "1"}, "v.kiwi", "a weight must be"),
        ({"indices": [1], "values": [1, 2]}, "v", "same length"),
        ({"indices": [1, 1], "values": [1, 2]}, "v.indices", "got 1 twice"),
        ({"indices": [-1], "values": [1]}, "v.indices[0]", "between 0 and"),
        ({"indices": [2**31], "values": [1]}, "v.indices[0]", "between 0 and"),
        ({"indices": [1.0], "values": [1]}, "v.indices[0]", "must be an integer"),
        ({"indices": "12", "values": [1]}, "v.indices", "must be a list"),
        ([{"kiwi": 1}, {"kiwi": -1}], "v[1].kiwi", "a weight must be"),
    ],
)
def test_invalid_vectors_name_the_place(value, field, words):
    with pytest.raises(InvalidInputError) as caught:
        check_vector(value, "v")
    assert caught.value.field == field
    assert words in caught.value.message


def test_a_term_may_be_named_indices():
    assert check_vector({"indices": 1.0, "values": 2.0}, "v") == {"indices": 1.0, "values": 2.0}


def test_zero_weights_are_dropped():
    assert check_vector({"kiwi": 1, "emu": 0}, "v") == {"kiwi": 1.0}
    assert check_vector({}, "v") == {}


@pytest.mark.parametrize(
    ("passages", "field"),
    [("x", "passages"), ([1], "passages[0]"), ([[0, 9]], "passages[0]"), ([[2, 2]], "passages[0]"),
     ([[0, 1], [True, 2]], "passages[1]"), ([[-1, 2]], "passages[0]")],
)  # fmt: skip
def test_invalid_passages_are_refused(passages, field):
    with pytest.raises(InvalidInputError) as caught:
        parse_document({"id": "1", "text": "bird", "passages": passages})
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("passages", "field", "words"),
    [
        ([[5, 2]], "passages[0]", "0 <= start < end <= 9, got [5, 2]"),
        ([["a", None]], "passages[0]", "got ['a', null]"),
        ([[1] * 9], "passages[0]", "got a list"),
        ([[5, 9], [0, 4]], "passages[1]", "starts at 5, got [0, 4]"),
        ([[0, 4], [0, 4]], "passages[1]", "starts at 0, got [0, 4]"),
        ([[0, 4], [0, 9]], "passages[1]", "starts at 0, got [0, 9]"),
        ([[0, 4], [4, 5], [5, 9]], "passages[1]", "has only white space, got [4, 5]"),
        ([[0, 4]] * 20_001, "passages", "at most 20,000 passages, got 20,001"),
    ],
)
def test_passages_are_in_order_and_not_too_many(passages, field, words):
    with pytest.raises(InvalidInputError) as caught:
        parse_document({"id": "1", "text": "bird bird", "passages": passages})
    assert caught.value.field == field
    assert words in caught.value.message


def test_passages_may_overlap_and_leave_text_out():
    found = parse_document({"id": "1", "text": "bird bird", "passages": [[0, 8], [1, 3], [5, 8]]})
    assert found.passages == (Passage(0, 8), Passage(1, 3), Passage(5, 8))
    many = parse_document({"id": "1", "text": "x" * 20_000, "passages": [
        [i, i + 1] for i in range(20_000)]})  # fmt: skip
    assert len(many.passages) == 20_000


def test_documents_with_vectors_equal_their_text():
    plain = parse_document({"id": "1", "text": "a"})
    own = parse_document({"id": "1", "text": "a", "vectors": {"dense": [1]}, "passages": [[0, 1]]})
    assert own == plain
    assert own.brings
    assert not plain.brings
    assert own.passages == (Passage(0, 1),)
    assert "vectors" not in repr(own)


def test_digests_of_different_vectors_differ():
    forms = [
        {"d": [1.0, 2.0]}, {"d": [2.0, 1.0]}, {"e": [1.0, 2.0]}, {"d": [[1.0], [2.0]]},
        {"d": {"a": 1.0}}, {"d": {"a": 2.0}}, {"d": {"indices": [1], "values": [1]}},
        {"d": [{"a": 1.0}]}, {"d": {"indices": [1], "values": [2]}}, {},
    ]  # fmt: skip
    digests = {vectors_digest({k: check_vector(v, k) for k, v in f.items()}) for f in forms}
    assert len(digests) == len(forms)


# -- records of files -----------------------------------------------------------------------------


def write(path, *lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_json_lines_bring_vectors(tmp_path):
    path = write(
        tmp_path / "a.jsonl",
        {"id": "1", "text": "bird", "vectors": {"dense": [1, 2]}, "passages": [[0, 2], [2, 4]]},
        {"id": "2", "text": "b", "embedding": [3, 4], "passages": ["not", "ours"]},
        {"id": "3", "text": "c", "embedding": "[5, 6]"},
        {"id": "4", "text": "d", "embedding": None},
    )
    one, two, three, four = read_jsonl_documents(
        path, FieldNames(vectors=(("dense", "embedding"),))
    )
    assert one.vectors["dense"].tolist() == [1, 2]
    assert one.passages == (Passage(0, 2), Passage(2, 4))
    assert two.vectors["dense"].tolist() == [3, 4]
    assert two.metadata == {"passages": ["not", "ours"]}
    assert three.vectors["dense"].tolist() == [5, 6]
    assert (four.vectors, four.metadata) == ({}, {})


@pytest.mark.parametrize(
    ("record", "field"),
    [
        ({"vectors": [1, 2]}, "vectors"),
        ({"vectors": {"dense": [1, math.nan]}}, None),
        ({"vectors": {"dense": [1, "x"]}}, "vectors.dense[1]"),
        ({"vectors": {"dense": [1]}, "embedding": [1]}, "embedding"),
        ({"embedding": "[1,"}, "embedding"),
        ({"embedding": "[" * 100_000}, "embedding"),
    ],
)
def test_invalid_vectors_of_records_are_reported(tmp_path, record, field):
    path = write(tmp_path / "a.jsonl", {"id": "1", "text": "a", **record}, {"id": "2", "text": "b"})
    errors = []
    fields = FieldNames(vectors=(("dense", "embedding"),))
    kept = write(tmp_path / "b.jsonl", {"id": "3", "text": "c", "embedding": [1]})
    path.write_text(path.read_text() + kept.read_text())
    found = list(read_jsonl_documents(path, fields, errors.append))
    assert [document.id for document in found] == ["2", "3"]
    assert [(error.line, error.field) for error in errors] == [(1, field)]


def test_tables_bring_vectors_as_json(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('id,text,embedding\n1,a,"[1.5, 2]"\n')
    (document,) = read_table_documents(path, FieldNames(vectors=(("dense", "embedding"),)))
    assert document.vectors["dense"].tolist() == [1.5, 2]
    assert document.metadata == {}


def test_a_named_field_must_occur(tmp_path):
    path = write(tmp_path / "a.jsonl", {"id": "1", "text": "a", "embeding": [1]})
    with pytest.raises(SourceError, match="did you mean embeding"):
        list(read_jsonl_documents(path, FieldNames(vectors=(("dense", "embedding"),))))


# -- arrays and files beside the documents --------------------------------------------------------

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
    for name in ("", ":id", ":c"):
        with pytest.raises(SourceError, match=r"2 columns of number lists \(a, b\)"):
            read_vectors(f"{path}{name}")
    broken = [[1.0, 2.0], None, [math.nan, 1.0], [1.0, None]]
    for value in broken[1:]:
        rows = [broken[0], value]
        parquet.write_table(
            arrow.table({"a": arrow.array(rows, arrow.list_(arrow.float32()))}), path
        )
        with pytest.raises(SourceError, match=r"v\.parquet: a\[1\]"):
            list(read_vectors(path))


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
        (ROWS[:3], "has no row for document '3'"),
        (np.concatenate([ROWS, ROWS]), "more rows than there are documents"),
        (ROWS[0], "must be an array [rows, dimensions], got the shape [3]"),
        ("dense.npy", "must be an array [rows, dimensions] or an iterable"),
        ([ROWS], "must be one vector, got several"),
        (np.where(ROWS[2, 1] == ROWS, np.nan, ROWS), "got nan"),
    ],
)
def test_wrong_rows_are_refused(rows, words):
    with pytest.raises(InvalidInputError) as caught:
        attached(rows)
    assert words in caught.value.message
    assert (caught.value.field or "").startswith("vectors.dense")


def test_a_row_with_nan_is_named():
    with pytest.raises(InvalidInputError) as caught:
        attached(np.where(ROWS[2, 1] == ROWS, np.nan, ROWS))
    assert caught.value.field == "vectors.dense[2][1]"


def test_a_second_vector_for_a_leg_is_refused():
    documents = [Document("1", "bird", vectors={"dense": [1.0]})]
    with pytest.raises(InvalidInputError, match="already has a vector"):
        attached(ROWS, documents)


@pytest.mark.parametrize("content", [b"", b"kiwi", b"\x93NUMPY\x01\x00"])
def test_files_of_other_formats_are_named(tmp_path, content):
    for name in ("v.npy", "v.parquet"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SourceError, match=name):
            read_vectors(tmp_path / name)


def test_objects_in_npy_are_not_loaded(tmp_path):
    np.save(tmp_path / "v.npy", np.array([[{}]], dtype=object), allow_pickle=True)
    with pytest.raises(SourceError, match="not a NumPy array of numbers"):
        read_vectors(tmp_path / "v.npy")


def test_other_paths_are_refused(tmp_path):
    (tmp_path / "v.bin").write_bytes(b"")
    for name in ("v.bin", "missing.npy", "."):
        with pytest.raises(SourceError):
            read_vectors(tmp_path / name)


@pytest.mark.parametrize(
    ("record", "metadata"),
    [
        ({"vectors": "plasmid"}, {"vectors": "plasmid"}),
        ({"vectors": ["plasmid", "virus"]}, {"vectors": ["plasmid", "virus"]}),
        ({"vectors": 7, "passages": 3}, {"vectors": 7, "passages": 3}),
        ({"vectors": None, "passages": None}, {}),
        ({"vectors": [], "passages": [[1, 2, 3]]}, {"vectors": [], "passages": [[1, 2, 3]]}),
    ],
)
def test_ordinary_fields_named_vectors_or_passages_are_metadata(tmp_path, record, metadata):
    path = write(tmp_path / "a.jsonl", {"id": "1", "text": "bird", **record})
    (one,) = read_jsonl_documents(path)
    assert one.metadata == metadata
    assert not one.brings


def test_named_fields_have_the_meaning_that_the_caller_names(tmp_path):
    record = {"id": "1", "text": "bird", "vectors": {"a": 1}, "passages": [[0, 2]]}
    path = write(tmp_path / "a.jsonl", record)
    (one,) = read_jsonl_documents(path, FieldNames(metadata=("vectors", "passages")))
    assert one.metadata == {"vectors": {"a": 1}, "passages": [[0, 2]]}
    assert not one.brings
    path = write(tmp_path / "b.jsonl", {"id": "1", "text": "bird", "vectors": [1, 2]})
    (one,) = read_jsonl_documents(path, FieldNames(vectors=(("dense", "vectors"),)))
    assert one.vectors["dense"].tolist() == [1, 2]
    assert one.metadata == {}


def test_a_list_of_numbers_without_a_leg_is_refused(tmp_path):
    path = write(tmp_path / "a.jsonl", {"id": "1", "text": "bird", "vectors": [0.5, 2]})
    with pytest.raises(SourceError, match="--vector-fields LEG=vectors") as caught:
        list(read_jsonl_documents(path))
    assert caught.value.field == "vectors"


def test_an_empty_cell_is_no_vector(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('id,text,own\n1,bird,"[1, 2]"\n2,fish,\n3,fly,  \n')
    one, *rest = read_table_documents(path, FieldNames(vectors=(("dense", "own"),)))
    assert one.vectors["dense"].tolist() == [1, 2]
    assert [(row.vectors, row.metadata) for row in rest] == [({}, {}), ({}, {})]


def test_blank_lines_of_vectors_are_skipped(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("[1, 2]\n\n  \n[3, 4]\n\n")
    assert [row.tolist() for row in read_vectors(path)] == [[1, 2], [3, 4]]
