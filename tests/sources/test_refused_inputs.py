"""Files without documents are refused by name, and skipped files in folders are counted."""

from __future__ import annotations

import gc
import gzip
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from twindex.core import SourceError
from twindex.sources import FieldNames, count_documents, lines, read_documents, survey
from twindex.sources.folder import walk
from twindex.sources.records import json_array


@pytest.mark.timeout(20)
def test_pipes_and_devices_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "zero.txt").symlink_to("/dev/zero")
    with pytest.raises(SourceError, match=r"pipe\.jsonl: is a named pipe, not a regular file"):
        read_documents(tmp_path / "pipe.jsonl")
    with pytest.raises(SourceError, match=r"zero\.txt: is a device, not a regular file"):
        read_documents(tmp_path / "zero.txt")
    with pytest.raises(SourceError, match="is a named pipe"):
        next(lines.read_lines(tmp_path / "pipe.jsonl"))
    (tmp_path / "a.txt").write_text("good")
    assert [document.id for document in read_documents(tmp_path)] == ["a.txt"]
    assert survey([tmp_path]).left_out == {
        "device": {".txt": 1},
        "with records": {".jsonl": 1},
    }


def test_long_line_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE", 1_000)
    fits = json.dumps({"id": "a", "text": "x" * 900}) + "\n"
    path = tmp_path / "c.jsonl.gz"
    path.write_bytes(gzip.compress(fits.encode() + b"{" * 10_000))
    reader = read_documents(path)
    assert next(reader).id == "a"
    with pytest.raises(SourceError, match=r"c\.jsonl\.gz:2: the line has more than 1,000 bytes"):
        next(reader)
    (tmp_path / "t.txt").write_text("x" * 1_001)
    with pytest.raises(SourceError, match="the file has more than 1,000 bytes; split it"):
        list(read_documents(tmp_path / "t.txt"))


def test_gzip_bomb_takes_bounded_memory(tmp_path: Path) -> None:
    """A compressed line of 600 MB is refused with a fraction of that memory."""
    path = tmp_path / "bomb.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(600):
            file.write(bytes(1 << 20))
    code = (
        "import resource, sys\n"
        "from twindex.core import SourceError\n"
        "from twindex.sources import read_documents\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (500 << 20,) * 2)\n"
        "try: list(read_documents(sys.argv[1]))\n"
        "except SourceError as error: sys.exit(f'refused: {error}')"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert done.stderr.startswith("refused: "), done.stderr[-500:]
    assert "bomb.jsonl.gz:1: the line has more than 67,108,864 bytes" in done.stderr


def test_binary_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_bytes("one\ntwo".encode("utf-16"))
    with pytest.raises(SourceError, match=r"t\.txt: .*UTF-16|t\.txt:1: the line has a NUL byte"):
        list(read_documents(tmp_path / "t.txt"))


def test_survey_counts_by_kind_and_reason(tmp_path: Path) -> None:
    for name in ("a.md", "b/c.MD", "b/d.txt", "e.png", "b/f.png", "g", ".hidden", ".git/x.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("text")
    (tmp_path / "elsewhere").symlink_to(tmp_path / "b")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nothing")
    found = survey([tmp_path])
    assert found.read == {".md": 2, ".txt": 1}
    assert found.left_out == {
        "broken or endless link": {".txt": 1},
        "hidden": {"none": 1, "folder": 1},
        "link to a folder": {"folder": 1},
        "of another kind": {".png": 2, "none": 1},
    }
    assert found.lost == 5
    assert len(found.examples) == 3
    read = {document.id for document in read_documents(tmp_path)}
    assert read == {"a.md", "b/c.MD", "b/d.txt"}


def test_excluded_files_and_folders_are_skipped(tmp_path: Path) -> None:
    for name in (
        "a.md",
        "node_modules/b.js",
        "x/node_modules/c.js",
        "d.min.js",
        "x/e.md",
        "x/f.md",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text")
    exclude = ("node_modules", "*.min.js", "x/e.*")
    found = survey([tmp_path], exclude=exclude)
    assert found.read == {".md": 2}
    assert found.left_out == {"excluded": {"folder": 2, ".js": 1, ".md": 1}}
    assert found.lost == 0
    read = [document.id for document in read_documents(tmp_path, exclude=exclude)]
    assert read == ["a.md", "x/f.md"]
    assert count_documents([tmp_path], exclude) == 2


# Named fields


def test_unknown_field_name_is_refused_with_known_fields(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(json.dumps({"id": "1", "headline": "One", "text": "t"}) + "\n")
    words = r"hedline: is in none of the first 1 records; .* text \(did you mean headline"
    with pytest.raises(SourceError, match=words):
        list(read_documents(path, fields=FieldNames(title="hedline")))
    with pytest.raises(SourceError, match="year: is in none"):
        list(read_documents(path, fields=FieldNames(metadata=("year",))))
    table = tmp_path / "c.csv"
    table.write_text("id,Headline,text\n1,One,t\n")
    with pytest.raises(SourceError, match=r"no column headline .*did you mean Headline"):
        list(read_documents(table, fields=FieldNames(title="headline")))


def test_title_may_be_missing_from_some_records(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    records = [{"id": str(i), "text": "t", **({"h": "H"} if i == 50 else {})} for i in range(300)]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    found = list(read_documents(path, fields=FieldNames(title="h")))
    assert [document.title for document in found].count("H") == 1
    assert len(found) == 300


def test_missing_id_or_text_names_the_option(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text('{"docid": "1", "body": "t"}\n')
    for fields, option in [(FieldNames(), "--id-field"), (FieldNames(id="docid"), "--text-field")]:
        with pytest.raises(SourceError, match=f"the fields are: docid, body.*{option}"):
            list(read_documents(path, fields=fields))


# Other inputs


def test_url_is_refused_with_a_remedy() -> None:
    with pytest.raises(SourceError, match=r"is a URL; .*curl -LO https://host/c\.jsonl"):
        read_documents("https://host/c.jsonl")


def test_array_is_read_as_a_stream(tmp_path: Path) -> None:
    records = [{"id": str(i), "text": "é" * (i % 7) * 1_000, "n": [i, -1.5e3]} for i in range(500)]
    for name, indent in (("a.json", None), ("b.json", 2), ("c.json.gz", None)):
        path = tmp_path / name
        content = json.dumps(records, indent=indent, ensure_ascii=False).encode()
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        found = list(read_documents(path))
        assert [document.id for document in found] == [record["id"] for record in records]
        assert [document.text for document in found] == [record["text"] for record in records]
        assert found[3].metadata == {"n": [3, -1500.0]}
    path.write_bytes(b"")
    lined = tmp_path / "lines.json"
    lined.write_text('{"id": "1", "text": "a"}\n{"id": "2", "text": "b"}\n')
    assert [document.id for document in read_documents(lined)] == ["1", "2"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('[{"id": "1", "text": "a"}', ":1: the array is cut off"),
        ('[{"id": "1", "text": "a"},\n]', ":2: the array is not valid JSON"),
        ('[{"id": "1", "text": "a"}\n{"id": "2"}]', ":2: expected `,`, got '{'"),
        ('[\n{"id": "1", "text": "a"}] x', ":2: expected the end"),
        ('[{"id": "1", "text": NaN}]', ":1: NaN is not a JSON value"),
        ("[\n\n1]", ":3: each item of the array must be a JSON object"),
        ("[" * 100_000, ":1: the item is nested too deeply"),
        (
            f'[{{"id": "1", "text": "a", "n": {"1" * 5_000}}}]',
            ":1: the item contains an invalid number",
        ),
    ],
)
def test_invalid_array_is_named_with_line(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "c.json"
    path.write_text(content)
    with pytest.raises(SourceError, match=r"c\.json") as caught:
        list(read_documents(path))
    assert words in str(caught.value)


def test_invalid_item_is_named_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named without reading further, because later text cannot repair it."""
    monkeypatch.setattr(json_array, "MAX_LINE", 1_000)
    path = tmp_path / "c.json"
    wrong = ['"text": "a" "n": 1', '"text": tru', '"text": "\\u12"', '"text": "\t"']
    for part in wrong:
        path.write_text(
            f'[{{"id": "1",\n{part}}},' + '{"id": "2", "text": "b"},\n' * 10_000 + "{}]"
        )
        with pytest.raises(SourceError, match=r"c\.json:2: the array is not valid JSON"):
            list(read_documents(path))


def test_maximum_size_of_an_item_is_exact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_array, "MAX_LINE", 100_000)
    path = tmp_path / "c.json"
    path.write_text('[{"id": "1", "text": "' + "x" * 190_000 + '"}]')
    assert len(list(read_documents(path))) == 1
    path.write_text('[{"id": "1", "text": "' + "x" * 400_000 + '"}]')
    with pytest.raises(SourceError, match="an item has more than 200,000 characters"):
        list(read_documents(path))


def test_closed_standard_input_is_named() -> None:
    code = "import sys; from twindex.sources import read_documents; next(read_documents('-'))"
    done = subprocess.run(
        ["sh", "-c", '"$0" -c "$1" <&-', sys.executable, code], capture_output=True, text=True
    )
    assert "SourceError: -: standard input is closed; name a file instead" in done.stderr


def test_json_lines_are_read_from_standard_input() -> None:
    code = "from twindex.sources import read_documents\nprint(list(read_documents('-')))"
    for text, words in (
        ('{"id": "1", "text": "a"}\n', "Document(id='1'"),
        ('[{"id": "1"}]\n', "a file with one array must be named .json"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code], input=text, capture_output=True, text=True
        )
        assert words in done.stdout + done.stderr


def test_standard_input_named_twice_is_refused() -> None:
    with pytest.raises(SourceError, match="-: standard input can be read only once"):
        read_documents(["-", "-"])


# What a folder holds and cannot be read


def as_a_user_without_rights(code: str, *argv: object) -> str:
    """Run Python code without the right to bypass file modes, even for root; return the output."""
    command = [sys.executable, "-c", code, *map(str, argv)]
    if os.geteuid() == 0:
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[Path]:
    """A folder with a readable file, an unreadable file and an unreadable folder."""
    folder = tmp_path / "notes"
    locked = folder / "locked"
    locked.mkdir(parents=True)
    (folder / "a.md").write_text("# A\n\ntext")
    (folder / "secret.md").write_text("text")
    (locked / "inside.md").write_text("text")
    (folder / "secret.md").chmod(0)
    locked.chmod(0)
    yield folder
    locked.chmod(0o755)


def test_unreadable_files_and_folders_are_skipped_with_reason(notes: Path) -> None:
    code = (
        "import json, pathlib, sys\n"
        "from twindex.sources import read_documents, survey\n"
        "found = survey([pathlib.Path(sys.argv[1])])\n"
        "ids = [document.id for document in read_documents(sys.argv[1])]\n"
        "examples = [str(path) for path in found.examples]\n"
        "print(json.dumps([found.read, found.left_out, found.lost, examples, ids]))"
    )
    read, left_out, lost, examples, ids = json.loads(as_a_user_without_rights(code, notes))
    assert (read, left_out, lost) == ({".md": 1}, {"unreadable": {".md": 1, "folder": 1}}, 2)
    assert examples == [str(notes / "locked"), str(notes / "secret.md")]
    assert ids == ["a.md"]


def test_build_reports_unreadable_files_and_strict_fails(notes: Path, tmp_path: Path) -> None:
    code = "import sys; from twindex.api.cli.main import main; print(main(sys.argv[1:]), end='')"
    options = ["--documents", notes, "--dense", "none", "--sparse", "none", "--quiet", "--json"]
    report, _, status = as_a_user_without_rights(
        code, "build", tmp_path / "index", *options
    ).rpartition("\n")
    assert status == "0"
    assert json.loads(report)["files"] == {
        "read": {".md": 1},
        "left_out": {"unreadable": {".md": 1, "folder": 1}},
    }
    strict = [*options, "--strict"]
    assert as_a_user_without_rights(code, "build", tmp_path / "other", *strict) == "2"
    assert not (tmp_path / "other").exists()


def test_large_file_is_skipped_with_reason(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("good")
    with (tmp_path / "huge.md").open("wb") as file:
        file.truncate(lines.MAX_LINE + 1)
    with (tmp_path / "largest.md").open("wb") as file:
        file.truncate(lines.MAX_LINE)
    errors: list[SourceError] = []
    read = [document.id for document in read_documents(tmp_path, on_error=errors.append)]
    assert read == ["a.txt"]
    assert [(error.path.name, error.reason) for error in errors] == [
        ("huge.md", "too large"),
        ("largest.md", "damaged"),  # It has only NUL bytes.
    ]


@pytest.mark.slow
def test_abandoned_walk_leaves_no_folder_open(tmp_path: Path) -> None:
    """This holds wherever it stops, even if only the garbage collector closes it."""
    for name in ("a/b/c.md", "a/d.md", "e/f.txt", "g.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text")
    for steps in range(8):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ResourceWarning)
            cycle: list[object] = [walk(tmp_path), read_documents(tmp_path)]
            for reader in cycle:
                assert len(list(islice(reader, steps))) == min(steps, 4)  # type: ignore[call-overload]
            cycle.append(cycle)
            del reader, cycle
            gc.collect()
        assert [str(one.message) for one in caught] == []


# Rows and gzip files


def test_large_row_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twindex.sources.records.table.MAX_ROW", 1_000)
    path = tmp_path / "c.csv"
    fits = ",".join(['"\n"'] * 200)  # 800 bytes and more
    row = ",".join(['"\n"'] * 400)
    names = ",".join(f"c{n}" for n in range(200))
    path.write_text(f"id,text,{names}\n1,a,{fits}\n2,b,{row}\n")
    errors: list[SourceError] = []
    found = read_documents(path, on_error=errors.append)
    assert next(found).id == "1"
    list(found)
    assert errors[0].line == 203
    message = f"{path}:203: the row is not valid (more than 1,000 bytes; "
    message += "check that every quote is closed)"
    assert str(errors[0]) == message
    with pytest.raises(SourceError, match="more than 1,000 bytes"):
        list(read_documents(path))
    path.write_text('id,text\n1,"' + "x\n" * 2_000)
    with pytest.raises(SourceError, match=r"c\.csv:2: .*more than 1,000 bytes"):
        list(read_documents(path))


@pytest.mark.parametrize("name", ["c.jsonl.gz", "c.json.gz", "c.csv.gz"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "plain"])
def test_damaged_gzip_file_is_named(tmp_path: Path, name: str, damage: str) -> None:
    record = '{"id": "1", "text": "a"}'
    content = {
        "c.jsonl.gz": f"{record}\n" * 9_000,
        "c.json.gz": f"[{','.join([record] * 9_000)}]",
        "c.csv.gz": "id,text\n" + "1,a\n" * 9_000,
    }[name]
    packed = bytearray(gzip.compress(content.encode()))
    if damage == "cut":
        packed = packed[: len(packed) // 2]
    elif damage == "flipped":
        packed[-6] ^= 0xFF  # in the checksum
    else:
        packed = bytearray(content.encode())
    path = tmp_path / name
    path.write_bytes(packed)
    with pytest.raises(SourceError, match=r"the file is not valid gzip \(") as caught:
        list(read_documents(path))
    assert caught.value.path == path
