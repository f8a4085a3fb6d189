"""What is left out of files and folders is never left out silently."""

from __future__ import annotations

from pathlib import Path

import pytest

from twindex.core import InvalidInputError, SourceError
from twindex.sources import FileReader, Limits, list_source, read_documents, survey, walk
from twindex.sources.markdown import split_front_matter


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.py", "a.html"])
def test_the_limit_of_characters_is_for_every_format(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    errors: list[SourceError] = []
    with FileReader(Limits(characters=50)) as reader:
        path.write_text("x" * 49)
        assert len(list(reader.read(path))) == 1
        path.write_text("x" * 51)
        assert list(reader.read(path, on_error=errors.append)) == []
    (error,) = errors
    assert error.reason == "too large"
    assert "characters of text, but the limit is 50; split the file" in str(error)


def test_files_beside_a_beir_corpus_are_counted(tmp_path: Path) -> None:
    (tmp_path / "qrels").mkdir()
    (tmp_path / "notes").mkdir()
    for name in ("queries.jsonl", "qrels/test.tsv", "a.md", "notes/b.md", ".hidden", "x.log"):
        (tmp_path / name).write_text("text")
    (tmp_path / "corpus.jsonl").write_text('{"_id": "1", "text": "one"}\n')
    found = survey([tmp_path], exclude=["*.log"])
    assert found.read == {".jsonl": 1}
    assert found.left_out == {
        "beside a BEIR corpus": {".md": 2},
        "excluded": {".log": 1},
        "hidden": {"none": 1},
    }
    assert found.lost == 2
    assert found.examples == (tmp_path / "a.md", tmp_path / "notes/b.md")
    assert [file.path for file in list_source(tmp_path / "a.md").files] == [tmp_path / "a.md"]
    assert [document.id for document in read_documents(tmp_path)] == ["1"]
    listing = list_source(tmp_path, ["*.log"])
    assert [(file.name, file.has_records) for file in listing.files] == [("corpus.jsonl", True)]
    assert {found.name: reason for found, reason in listing.skipped} == {
        "a.md": "beside a BEIR corpus",
        "b.md": "beside a BEIR corpus",
        "x.log": "excluded",
        ".hidden": "hidden",
    }


def test_patterns_of_folders_may_end_with_a_slash(tmp_path: Path) -> None:
    for name in ("a/b/1.md", "c/2.md", "c/a"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text")
    assert [one.id for one in read_documents(tmp_path, exclude=["a/"])] == ["c/2.md"]
    assert [one.id for one in read_documents(tmp_path, exclude=["a/b/"])] == ["c/2.md"]
    assert (tmp_path / "c/a", "of another kind") in walk(tmp_path, ["a/"])
    assert (tmp_path / "c/a", "excluded") in walk(tmp_path, ["a"])


def test_patterns_that_leave_nothing_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("text")
    (tmp_path / ".hidden").touch()
    with pytest.raises(SourceError, match=r"exclude: everything in the folder is excluded by \*"):
        list(read_documents(tmp_path, exclude=["*.md"]))
    for use in (read_documents, lambda path, exclude: list(walk(path, exclude))):
        with pytest.raises(InvalidInputError, match="exclude: must be a list of patterns"):
            use(tmp_path, exclude="ab")


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("9007199254740993", 9007199254740993),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", "9223372036854775808"),
        ("123456789012345678901", "123456789012345678901"),
        ("-123456789012345678901", "-123456789012345678901"),
        ("[1, 123456789012345678901]", [1, "123456789012345678901"]),
        ("[a, 123456789012345678901]", ["a", "123456789012345678901"]),
        ('{"a": 123456789012345678901}', {"a": "123456789012345678901"}),
        ("1" * 5000, "1" * 5000),
    ],
)
def test_long_integers_of_front_matter_stay_exact(value: str, stored: object) -> None:
    assert split_front_matter(f"---\nk: {value}\n---\ntext")[0] == {"k": stored}
