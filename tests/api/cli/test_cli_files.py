"""Folders of files on the command line: what is read, and what is named as skipped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

FAKES = ["--dense", "fake", "--sparse", "fake", "--quiet"]


def test_skipped_files_of_a_folder_are_reported(tmp_path: Path, run: Any) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.md").write_text("# A\n\ntext")
    for number in range(52):
        (notes / f"{number}.png").write_bytes(b"PNG")
    argv = ["--documents", str(notes), *FAKES]
    done = run("build", str(tmp_path / "a"), *argv)
    assert done.status == 0
    assert f"twindex: not read: 52 of another kind (.png 52), such as {notes / '0.png'}" in done.err
    report = run("build", str(tmp_path / "b"), *argv, "--json").json
    assert report["files"] == {
        "read": {".md": 1},
        "left_out": {"of another kind": {".png": 52}},
    }
    strict = run("build", str(tmp_path / "c"), *argv, "--strict")
    assert strict.status == 2
    assert "not read: 52 of another kind (.png 52), such as" in strict.err
    assert not (tmp_path / "c").exists()


def test_unreadable_files_are_counted_by_reason_and_listed(tmp_path: Path, run: Any) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.html").write_text("<h1>Heading</h1><p>text")
    (notes / "b.html").write_bytes(b"<meta charset=utf-8>\xff")
    (notes / "c.png").write_bytes(b"PNG")
    for number in range(11):
        (notes / f"{number}.txt").touch()
    listed = tmp_path / "skipped.jsonl"
    argv = ["--documents", str(notes), *FAKES, "--skipped", str(listed)]
    done = run("build", str(tmp_path / "a"), *argv)
    assert done.status == 0
    assert "skipped: ... 12 records in total (11 empty, 1 damaged)" in done.err
    lines = [json.loads(line) for line in listed.read_text().splitlines()]
    assert {Path(line["path"]).name: line["reason"] for line in lines} == {
        "b.html": "damaged",
        "c.png": "of another kind",
        **{f"{number}.txt": "empty" for number in range(11)},
    }
    report = run("build", str(tmp_path / "b"), *argv, "--json").json
    assert report["reasons"] == {"empty": 11, "damaged": 1}
    assert report["documents"] == 1
    strict = ["--strict", "--exclude", "*.txt,b.*,c.png"]
    assert run("build", str(tmp_path / "c"), *argv, *strict).status == 0
    done = run("build", str(tmp_path / "d"), *argv[:-1], str(tmp_path / "no" / "x"))
    assert "--skipped: cannot write" in done.err


def test_limits_of_files_are_options(tmp_path: Path, run: Any) -> None:
    (tmp_path / "a.html").write_text("<p>" + "x" * 100)
    argv = ["build", str(tmp_path / "a"), "--documents", str(tmp_path / "a.html"), *FAKES]
    done = run(*argv, "--file-limits", "characters=50,seconds=30")
    assert done.status == 2
    assert "has 101 characters of text, but the limit is 50" in done.err
    with pytest.raises(SystemExit, match="2"):
        run(*argv, "--file-limits", "size=50")
    assert run(*argv).status == 0


def test_a_file_without_a_suffix_is_reported(tmp_path: Path, run: Any) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.md").write_text("# A\n\ntext")
    (notes / "unknown").write_text("free")
    done = run("build", str(tmp_path / "a"), "--documents", str(notes), *FAKES)
    assert "twindex: not read: 1 of another kind (no suffix 1)" in done.err


SIZES = ["--passages", "words", "--passage-size", "8", "--passage-overlap", "0"]


@pytest.mark.parametrize("records", [False, True])
def test_a_document_of_too_many_passages_is_skipped_by_name(
    tmp_path: Path, run: Any, records: bool
) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.txt").write_text("good")
    big = "w " * 170_000
    name, source = "big.txt", notes
    if records:
        name, source = "77", tmp_path / "r.jsonl"
        lines = [{"id": "a.txt", "text": "good"}, {"id": name, "text": big}]
        source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    else:
        (notes / name).write_text(big)
    shown = source if records else notes / name
    listed = tmp_path / "skipped.jsonl"
    argv = ["--documents", str(source)]
    index = str(tmp_path / "i")
    for command in ("build", "add"):
        more = [*FAKES, *SIZES] if command == "build" else ["--quiet"]
        done = run(command, index, *argv, *more, "--skipped", str(listed))
        assert done.status == 0, done.err
        assert f"twindex: skipped: {shown}: text: document '{name}': the text would" in done.err
        assert "more than 20,000 passages" in done.err
        (line,) = [json.loads(line) for line in listed.read_text().splitlines()]
        assert (line["path"], line["reason"]) == (str(shown), "over a limit")
        strict = run(command, f"{index}{'' if command == 'add' else 2}", *argv, *more, "--strict")
        assert strict.status == 2
        assert "more than 20,000 passages" in strict.err
    done = run("build", index + "3", *argv, *FAKES, *SIZES, "--sync")
    assert done.status == 0, done.err
    assert f"twindex: skipped: {shown}: text: document '{name}'" in done.err


def test_names_with_control_characters_stay_on_their_line(tmp_path: Path, run: Any) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.md").write_text("text")
    (notes / "x\n\x1b[31mtwindex: all is well.txt").touch()
    (notes / "y\nz.png").touch()
    done = run("build", str(tmp_path / "i"), "--documents", str(notes), *FAKES)
    assert "\x1b" not in done.err
    assert "x ?[31mtwindex: all is well.txt: the file is empty" in done.err
    assert "y z.png" in done.err


def test_passages_of_named_files_are_shown(tmp_path: Path, run: Any) -> None:
    one, two = tmp_path / "one.md", tmp_path / "two.txt"
    one.write_text("# Kiwi\n\nThe kiwi cannot fly.")
    two.write_text("Swifts sleep while they fly.")
    named = run("passages", str(one), str(two), *FAKES)
    assert "one.md  Kiwi: 1 passage" in named.out
    assert "two.txt" in named.out
    assert run("passages", "--documents", str(one), str(two), *FAKES).out == named.out
    assert run("passages", str(one), *FAKES, "--documents", str(two)).out == named.out
    for arguments in ([], ["--passages", "words"]):
        missing = run("passages", *FAKES, *arguments)
        assert missing.status == 2
        assert "PATH: is missing; name at least one file or folder" in missing.err
