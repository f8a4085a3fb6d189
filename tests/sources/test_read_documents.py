"""Reading documents from files of all supported formats."""

from __future__ import annotations

import csv
import gzip
import json
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twindex.core import Document, InvalidInputError, SourceError
from twindex.sources import FieldNames, count_documents, holds_records, read_documents

BOM = b"\xef\xbb\xbf"
LINES = [
    {"_id": "1", "title": "One", "text": "first", "metadata": {"year": 1999}},
    {"_id": "2", "text": "second", "url": "http://x"},
]
DOCUMENTS = [
    Document(id="1", title="One", text="first", metadata={"year": 1999}),
    Document(id="2", text="second", metadata={"url": "http://x"}),
]


def write(path: Path, content: bytes | str) -> Path:
    data = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def without_file(documents: Iterable[Document]) -> list[Document]:
    """Return documents without the metadata that every file has: path, type and modified."""
    found = list(documents)
    for document in found:
        assert document.metadata["path"] == document.id
        assert document.metadata["modified"].endswith("Z")
    names = ("path", "type", "modified")
    return [
        replace(one, metadata={k: v for k, v in one.metadata.items() if k not in names})
        for one in found
    ]


def failures(path: Path, fields: FieldNames | None = None) -> tuple[list[str], list[SourceError]]:
    errors: list[SourceError] = []
    found = read_documents(path, fields=fields or FieldNames(), on_error=errors.append)
    return [document.id for document in found], errors


# JSON lines


@pytest.mark.parametrize("name", ["c.jsonl", "c.jsonl.gz", "c.ndjson", "C.JSONL"])
def test_json_lines_plain_and_compressed(tmp_path: Path, name: str) -> None:
    content = "\n\n".join(json.dumps(line) for line in LINES)
    assert list(read_documents([write(tmp_path / name, content)])) == DOCUMENTS
    assert list(read_documents(str(write(tmp_path / name, BOM + content.encode())))) == DOCUMENTS


def test_on_error_receives_invalid_lines_with_line_and_field(tmp_path: Path) -> None:
    lines = [
        b'{"_id": "1", "text": "good"}',
        b'{"_id": "2", "text": ',
        b'{"_id": "3", "text": 3}',
        b"[]",
        b'{"_id": "5", "text": "\xff"}',
        b"",
        b'{"_id": "7", "text": "", "year": 1, "metadata": {"year": 2}}',
        b'{"_id": "8", "text": "\\ud800"}',
        b'{"_id": "9", "text": "good", "n": NaN}',
        b'{"id": "10", "text": "good"}',
    ]
    path = write(tmp_path / "c.jsonl", b"\r\n".join(lines))
    found, errors = failures(path)
    assert found == ["1", "10"]
    assert [error.line for error in errors] == [2, 3, 4, 5, 7, 8, 9]
    assert all(error.path == path for error in errors)
    assert str(errors[1]) == f"{path}:3: text: must be a string, not an integer"
    assert errors[4].field == "year"


def test_first_invalid_line_raises_without_on_error(tmp_path: Path) -> None:
    path = write(tmp_path / "c.jsonl", '{"_id": "1", "text": "a"}\n{}\n')
    reader = read_documents(path)
    assert next(reader).id == "1"
    with pytest.raises(SourceError, match=r"c\.jsonl:2: id: is missing"):
        next(reader)


def test_fields_may_have_other_names(tmp_path: Path) -> None:
    line = {"docid": 5, "contents": "body", "lang": "en", "year": "1999", "n": "", "x": 1}
    path = write(tmp_path / "c.jsonl", json.dumps(line))
    fields = FieldNames(id="docid", text="contents", metadata=("year", "n"), numeric=("year", "n"))
    assert list(read_documents(path, fields=fields)) == [
        Document(id="5", text="body", metadata={"year": 1999})
    ]
    _, errors = failures(path, FieldNames(id="docid", text="lines"))
    assert errors[0].field == "lines"
    _, errors = failures(path, FieldNames(id="docid", text="contents", numeric=("lang",)))
    assert "must be a number, got 'en'" in str(errors[0])
    with pytest.raises(InvalidInputError, match="b must be a metadata field"):
        FieldNames(metadata=("a",), numeric=("b",))


def test_damaged_gzip_is_named(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl.gz"
    whole = gzip.compress(b'{"_id": "1", "text": "a"}\n' * 9)
    for damaged in (whole[:-9], b"not gzip", whole[:20] + b"\0\0" + whole[22:]):
        path.write_bytes(damaged)
        with pytest.raises(SourceError, match=r"c\.jsonl\.gz: the file is not valid gzip"):
            failures(path)


# Tables


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_csv_as_rfc_4180(tmp_path: Path, suffix: str) -> None:
    content = 'id,title,text,year\r\n1,"A, ""b""","two\nlines",1999\r\n\r\n2,,x,\r\n'
    path = write(tmp_path / f"c{suffix}", BOM + content.encode())
    assert list(read_documents(path, fields=FieldNames(numeric=("year",)))) == [
        Document(id="1", title='A, "b"', text="two\nlines", metadata={"year": 1999}),
        Document(id="2", text="x"),
    ]
    assert [document.metadata["year"] for document in read_documents(path)] == ["1999", ""]


def test_tsv_has_no_quoting(tmp_path: Path) -> None:
    path = write(tmp_path / "c.tsv", '_id\ttext\n1\tsay "hello\n2\tx\n')
    assert [document.text for document in read_documents(path)] == ['say "hello', "x"]


def test_invalid_rows_are_named_by_their_first_line(tmp_path: Path) -> None:
    content = b'id,text\n1,"a\nb"\n2\n3,\xff\n4,"x"y\n5,ok\n6,"open\nto the end'
    found, errors = failures(write(tmp_path / "c.csv", content))
    assert found == ["1", "5"]
    assert [error.line for error in errors] == [4, 5, 6, 8]
    assert errors[0].message == "the row has 1 cells, but the header has 2"
    assert errors[1].field == "text"


@pytest.mark.parametrize(
    ("header", "fields", "words"),
    [
        ("name,text", FieldNames(), r"no column id \(the file has: name, text\)"),
        ("id,body", FieldNames(), "no column text"),
        ("id;text", FieldNames(), "no column id, text .*';' is not a separator; use commas in"),
        ("id,text", FieldNames(id="key"), "no column key"),
        ("id,text", FieldNames(metadata=("year",)), "no column year"),
        ("id,text", FieldNames(numeric=("year",)), "no column year"),
        (
            "id,text,x,x",
            FieldNames(),
            "columns must have different names, but these are repeated: x",
        ),
        ("", FieldNames(), "the file has: none"),
    ],
)
def test_invalid_header_is_refused(
    tmp_path: Path, header: str, fields: FieldNames, words: str
) -> None:
    with pytest.raises(SourceError, match=words):
        failures(write(tmp_path / "c.csv", header), fields)


def test_cells_may_be_long(tmp_path: Path) -> None:
    path = write(tmp_path / "c.csv", f"id,text\n1,{'x' * 500_000}\n")
    assert len(next(read_documents(path)).text) == 500_000


cells = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=20)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(cells, cells), max_size=5))
def test_csv_round_trip(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    path = tmp_path / "c.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "title", "text"])
        writer.writerows((number, *row) for number, row in enumerate(rows))
    found = [(document.title, document.text) for document in read_documents(path)]
    assert found == rows


# Text and folders


def test_folder_is_read_in_order_of_paths(tmp_path: Path) -> None:
    write(tmp_path / "b.txt", "bee\r\n")
    write(tmp_path / "a/z.md", "# Heading #\n\nbody\n")
    write(tmp_path / "a.markdown", "no heading")
    for hidden in (".git/x.txt", "a/.hidden.md", "image.png", "a/data.json"):
        write(tmp_path / hidden, "no")
    assert without_file(read_documents(tmp_path)) == [
        Document(id="a.markdown", title="a", text="no heading"),
        Document(id="a/z.md", title="Heading", text="# Heading #\n\nbody\n"),
        Document(id="b.txt", title="b", text="bee\n"),
    ]


def test_front_matter_becomes_metadata(tmp_path: Path) -> None:
    front = (
        "---\ntitle: 'It''s'\nyear: 1999\ntags: [a, 2, \"c\"]\ndraft: false\n# note\n---\n\n# H\n"
    )
    path = write(tmp_path / "n.md", front)
    assert without_file(read_documents(path)) == [
        Document(
            id="n.md",
            title="It's",
            text="# H\n",
            metadata={"year": 1999, "tags": ["a", 2, "c"], "draft": False},
        )
    ]
    for kept in ("---\na:\n  b: 1\n---\ntext", "---\nnever: closed\n", "text\n---\na: 1\n---\n"):
        (document,) = without_file(read_documents(write(path, kept)))
        assert (document.text, document.metadata) == (kept, {})


def test_front_matter_may_have_block_lists_and_empty_values(tmp_path: Path) -> None:
    front = "---\ntitle: A: b\ntags:\n  - garden\n- 2\nempty:\ndate: 2026-05-01\n---\nText.\n"
    (document,) = without_file(read_documents(write(tmp_path / "n.md", front)))
    assert (document.title, document.text) == ("A: b", "Text.\n")
    assert document.metadata == {"tags": ["garden", 2], "empty": None, "date": "2026-05-01"}
    for kept in ("---\na: 1\n- b\n---\ntext", "---\na:\n  b: 1\n---\ntext"):
        assert next(read_documents(write(tmp_path / "n.md", kept))).text == kept


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Brewing coffee\n======\n\n## Water\n", "Brewing coffee"),
        ("\n  Apt\n---\n# Later\n", "Apt"),
        ("Two lines\nof text\n---\n# Later\n", "Later"),
        ("- item\n---\n# Later\n", "Later"),
        ("| a | b |\n|---|---|\n# Later\n", "Later"),
        ("```\ncode\n---\n```\n---\n# Later\n", "Later"),
        ("text\n\n---\n# Later\n", "Later"),
    ],
)
def test_underlined_first_line_is_a_title(tmp_path: Path, text: str, title: str) -> None:
    assert next(read_documents(write(tmp_path / "n.md", text))).title == title


def test_heading_in_code_is_not_the_title(tmp_path: Path) -> None:
    path = write(tmp_path / "n.md", "```\n# comment\n```\n#hashtag\n## Real\n")
    assert next(read_documents(path)).title == "Real"


def test_text_that_is_not_utf8_is_named_with_line(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", b"fine")
    write(tmp_path / "b.txt", b"one\ntwo\xff")
    found, errors = failures(tmp_path)
    assert found == ["a.txt"]
    assert str(errors[0]).startswith(f"{tmp_path / 'b.txt'}:2: the line is not UTF-8")


# Paths


def test_paths_are_checked_before_reading(tmp_path: Path) -> None:
    good = write(tmp_path / "c.jsonl", "")
    with pytest.raises(SourceError, match="no such file"):
        read_documents([good, tmp_path / "missing.jsonl"])
    with pytest.raises(SourceError, match=r"is not supported; use \.arrow, .* or irds:NAME"):
        read_documents([good, write(tmp_path / "c.png", "")])
    empty = tmp_path / "empty"
    write(empty / "data.jsonl", "")
    with pytest.raises(SourceError, match="contains no file of a known kind"):
        list(read_documents(empty))
    assert holds_records(good)
    assert not holds_records(tmp_path)


def test_several_paths_are_read_in_order(tmp_path: Path) -> None:
    first = write(tmp_path / "c.jsonl", '{"_id": "1", "text": ""}')
    second = write(tmp_path / "a.txt", "x")
    assert [document.id for document in read_documents([first, second])] == ["1", "a.txt"]


def test_reading_is_lazy(tmp_path: Path) -> None:
    path = write(tmp_path / "c.jsonl", '{"_id": "1", "text": ""}\n' * 3 + "not json")
    assert next(read_documents(path)).id == "1"


def test_real_collections_are_read(shared_data: Path) -> None:
    cranfield = list(read_documents(shared_data / "cranfield" / "corpus.jsonl"))
    assert len(cranfield) == 1400
    assert sum(not document.text for document in cranfield) == 2
    movie = next(read_documents(shared_data / "msrd_movies" / "corpus.jsonl"))
    assert movie.metadata


def test_documents_are_counted_without_parsing(tmp_path: Path) -> None:
    lines = write(tmp_path / "c.jsonl.gz", '{"_id": "1"}\n\nnot json\n')
    write(tmp_path / "notes" / "a.md", "a")
    write(tmp_path / "notes" / "b.txt", "b")
    text = write(tmp_path / "d.txt", "d")
    assert count_documents([lines, tmp_path / "notes", text]) == 5
    assert count_documents([write(tmp_path / "c.csv", "id,text\n")]) is None


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("# C#", "C#"),
        ("## Two ##  ", "Two"),
        ("#\t###\n# Next", "Next"),
        ("# " + " " * 300_000 + "x", "x"),
        ("# x" + " " * 300_000 + "#" * 300_000 + "y", None),
    ],
)
def test_headings_are_found_in_linear_time(tmp_path: Path, line: str, title: str | None) -> None:
    began = time.process_time()
    document = next(read_documents(write(tmp_path / "n.md", line)))
    assert time.process_time() - began < 1
    assert document.title == (line[2:] if title is None else title)


def test_files_with_equal_ids_are_refused(tmp_path: Path) -> None:
    for folder, text in (("a", "alpha"), ("b", "beta")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "readme.md").write_text(text)
    first, second = tmp_path / "a", tmp_path / "b"
    errors: list[SourceError] = []
    for one, other in ((first, second), (first / "readme.md", second / "readme.md")):
        found = list(read_documents([one, other], on_error=errors.append))
        assert [(document.id, document.text) for document in found] == [("readme.md", "alpha")]
        with pytest.raises(SourceError, match="is also the id of"):
            list(read_documents([one, other]))
    assert [error.path for error in errors] == [second / "readme.md"] * 2
    message = f"'readme.md' is also the id of {first / 'readme.md'}; name a folder that contains"
    assert message in str(errors[0])
    found = list(read_documents(tmp_path))
    assert [document.id for document in found] == ["a/readme.md", "b/readme.md"]
    assert len(list(read_documents([first, first]))) == 2  # The same document twice.
