"""Checks of the vectors and passages that documents bring, and their files."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.core import InvalidInputError, Passage, SourceError
from twindex.sources import (
    FieldNames,
    check_vector,
    parse_document,
    read_jsonl_documents,
    read_table_documents,
    vectors_digest,
)

from .lines import write

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
        ([[1.0], [1.0, 2.0]], "v", "same number of dimensions"),
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
        (
            [[5, 9], [0, 4]],
            "passages[1]",
            "after 5 (the start of the previous passage), got [0, 4]",
        ),
        ([[0, 4], [0, 4]], "passages[1]", "previous passage), got [0, 4]"),
        ([[0, 4], [0, 9]], "passages[1]", "previous passage), got [0, 9]"),
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


def test_array_of_another_library_is_accepted():
    torch = pytest.importorskip("torch")
    wanted = np.array([0.5, -2, 3], np.float32)
    tensor = torch.tensor([0.5, -2.0, 3.0])
    for form in (tensor, tensor.double(), tensor.half()):
        assert np.array_equal(check_vector(form, "v"), wanted)
    assert np.array_equal(check_vector([tensor, tensor], "v"), [wanted, wanted])
    assert np.array_equal(check_vector(torch.stack([tensor, tensor]), "v"), [wanted, wanted])
    for form in (tensor.requires_grad_(), tensor.bfloat16(), tensor.to_sparse()):
        with pytest.raises(InvalidInputError, match=r"^v: .*tensor.detach\(\).cpu\(\)") as wrong:
            check_vector(form, "v")
        assert wrong.value.field == "v"
    with pytest.raises(InvalidInputError, match="must be an array"):
        check_vector(torch.tensor(3.0), "v")
