"""Documents from Parquet and Arrow files."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import feather, ipc, parquet

from twindex.core import Document, MissingExtraError, SourceError
from twindex.sources import FieldNames, count_documents, holds_records, read_documents
from twindex.sources.records.arrow_rows import ROWS


def stream(table: Any, path: Path) -> None:
    with ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table)


def file(table: Any, path: Path) -> None:
    with ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)


WRITERS: dict[str, Callable[[Any, Path], None]] = {
    "a.parquet": lambda table, path: parquet.write_table(table, str(path), row_group_size=700),
    "a.feather": lambda table, path: feather.write_feather(table, str(path)),
    "a.arrow": file,
    "s.arrow": stream,
}
each_kind = pytest.mark.parametrize(
    "name",  # a.feather is an Arrow file too.
    [pytest.param(name, marks=[pytest.mark.slow] * (name == "a.arrow")) for name in WRITERS],
)


@each_kind
def test_rows_are_documents_in_order(tmp_path: Path, name: str) -> None:
    count = 2 * ROWS + 500
    table = pyarrow.table(
        {"id": list(range(count)), "text": [f"text {n}" for n in range(count)], "n": [0.5] * count}
    )
    WRITERS[name](table, tmp_path / name)
    assert holds_records(tmp_path / name)
    assert count_documents([tmp_path / name]) == (count if name == "a.parquet" else None)
    expected = [Document(str(n), f"text {n}", metadata={"n": 0.5}) for n in range(count)]
    assert list(read_documents(tmp_path / name)) == expected


@each_kind
def test_values_become_json_and_missing_ones_are_left_out(tmp_path: Path, name: str) -> None:
    moment = datetime.datetime(2024, 1, 31, 12, tzinfo=datetime.UTC)
    columns = {
        "_id": ["a", "b"],
        "title": ["T", None],
        "text": ["x", "y"],
        "day": [moment.date(), None],
        "moment": [moment, None],
        "price": [decimal.Decimal("1.50"), None],
        "tags": [["p", "q"], None],
        "metadata": [{"k": 1}, None],
        "score": [float("nan"), 2.0],
    }
    WRITERS[name](pyarrow.table(columns), tmp_path / name)
    first, second = read_documents(tmp_path / name)
    assert first == Document(
        "a",
        "x",
        "T",
        {
            "k": 1,
            "day": "2024-01-31",
            "moment": "2024-01-31T12:00:00+00:00",
            "price": 1.5,
            "tags": ["p", "q"],
        },
    )
    assert second == Document("b", "y", "", {"score": 2.0})


@each_kind
def test_fields_select_the_columns_that_are_read(tmp_path: Path, name: str) -> None:
    columns = {"key": ["a"], "body": ["x"], "year": [1999], "raw": [b"\xff"]}
    WRITERS[name](pyarrow.table(columns), tmp_path / name)
    fields = FieldNames(id="key", text="body", metadata=("year",))
    assert list(read_documents(tmp_path / name, fields=fields)) == [
        Document("a", "x", metadata={"year": 1999})
    ]
    with pytest.raises(SourceError, match=r":1: raw: must be a JSON value|:1: metadata\.raw"):
        list(read_documents(tmp_path / name, fields=FieldNames(id="key", text="body")))
    with pytest.raises(SourceError, match="no column text"):
        list(read_documents(tmp_path / name, fields=FieldNames(id="key")))


@each_kind
def test_invalid_rows_and_damage_are_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    WRITERS[name](pyarrow.table({"id": ["a", None, "c"], "text": ["x", "y", None]}), path)
    errors: list[SourceError] = []
    assert [one.id for one in read_documents(path, on_error=errors.append)] == ["a"]
    assert [(error.line, error.field) for error in errors] == [(2, "id"), (3, "text")]
    whole = path.read_bytes()
    contents = (whole[: len(whole) // 3], b"", b"not arrow at all" * 10)
    damaged = [tmp_path / f"{number}{path.suffix}" for number in range(len(contents))]
    for one, content in zip(damaged, contents, strict=True):
        one.write_bytes(content)
    with pytest.raises(SourceError) as found:
        list(read_documents(damaged[0]))
    assert found.value.reason == "damaged"
    errors.clear()
    assert list(read_documents(damaged, on_error=errors.append)) == []
    assert [(error.path, error.reason) for error in errors] == [(one, "damaged") for one in damaged]


def test_missing_pyarrow_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'twindex\[documents\]'"):
        list(read_documents(tmp_path / "a.parquet"))


texts = st.text(st.characters(codec="utf-8"), max_size=10)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=4, deadline=None
)  # Each example starts a process, so there are few, with many rows.
@given(st.lists(st.tuples(texts, texts, st.integers(-(2**63), 2**63 - 1)), max_size=40))
def test_parquet_round_trip(tmp_path: Path, rows: list[tuple[str, str, int]]) -> None:
    path = tmp_path / "a.parquet"
    schema = pyarrow.schema(
        [("id", "int64"), ("title", "string"), ("text", "string"), ("n", "int64")]
    )
    records = [
        {"id": number, "title": title, "text": text, "n": n}
        for number, (title, text, n) in enumerate(rows)
    ]
    parquet.write_table(pyarrow.Table.from_pylist(records, schema), str(path))
    found = [(one.title, one.text, one.metadata["n"]) for one in read_documents(path)]
    assert found == rows


@each_kind
def test_parts_of_a_document_are_read_with_named_metadata(tmp_path: Path, name: str) -> None:
    columns = {
        "id": ["a"],
        "text": ["one two"],
        "lang": ["en"],
        "other": ["x"],
        "emb": [[1.0, 2.0]],
        "vectors": [{"e": [3.0]}],
        "metadata": [{"year": 1999}],
        "passages": [[[0, 3], [4, 7]]],
    }
    WRITERS[name](pyarrow.table(columns), tmp_path / name)
    fields = FieldNames(metadata=("lang",), vectors=(("d", "emb"),))
    (found,) = read_documents(tmp_path / name, fields=fields)
    assert found.metadata == {"lang": "en", "year": 1999}
    vectors = {leg: [float(one) for one in vector] for leg, vector in found.vectors.items()}
    assert vectors == {"d": [1.0, 2.0], "e": [3.0]}
    assert [(one.start, one.end) for one in found.passages] == [(0, 3), (4, 7)]
