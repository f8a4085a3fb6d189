"""`twindex build --sync` and `--watch`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from twindex.api.cli.main import main
from twindex.search import Collection

LEXICAL = ["--dense", "none", "--sparse", "none", "--quiet"]
NOTES = {"a.md": "kiwi", "b.md": "swift", "sub/c.txt": "heron", "records.csv": "id,text\n1,owl\n"}


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    for name, text in NOTES.items():
        path = tmp_path / "notes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "notes"


def arguments(notes: Path, *more: str) -> list[str]:
    index = notes.parent / "index"
    return ["build", str(index), "--documents", str(notes), "--sync", *LEXICAL, *more]


def ids(notes: Path) -> set[str]:
    with Collection.open(notes.parent / "index", read_only=True) as collection:
        return {document.id for document in collection.scan()}


def test_sync_builds_and_updates_a_collection(notes: Path, run: Any) -> None:
    done = run(*arguments(notes))
    assert done.status == 0
    assert "3 new files, 0 changed, 0 removed, 0 unchanged\n3 documents written" in done.out
    (notes / "a.md").write_text("changed")
    (notes / "b.md").unlink()
    report = run(*arguments(notes, "--json")).json
    assert (report["changed"], report["removed"]) == ([f"{notes}/a.md"], [f"{notes}/b.md"])
    assert (report["new"], report["unchanged"], report["deleted"]) == ([], 1, 1)
    assert (report["problems"], report["dry_run"], report["passages"]) == ([], False, 1)
    assert ids(notes) == {"a.md", "sub/c.txt"}
    again = run(*arguments(notes, "--reread")).out
    assert again.startswith("0 new files, 0 changed, 0 removed, 2 unchanged (2 of them read again)")


def test_dry_run_lists_what_would_change(notes: Path, run: Any) -> None:
    assert run(*arguments(notes, "--dry-run")).out.startswith(f"new      {notes}/a.md\n")
    assert not (notes.parent / "index").exists()
    run(*arguments(notes))
    (notes / "a.md").write_text("changed")
    (notes / "b.md").unlink()
    (notes / "new.md").write_text("new")
    done = run(*arguments(notes, "--dry-run"))
    assert done.out.splitlines()[:4] == [
        f"new      {notes}/new.md",
        f"changed  {notes}/a.md",
        f"removed  {notes}/b.md",
        "1 new file, 1 changed, 1 removed, 1 unchanged",
    ]
    assert "2 documents would be written, 1 of them replaced; 1 would be deleted" in done.out
    assert ids(notes) == {"a.md", "b.md", "sub/c.txt"}


def test_problems_are_named(notes: Path, run: Any, tmp_path: Path) -> None:
    run(*arguments(notes))
    (notes / "a.md").write_bytes(b"\xff\x00")
    done = run(*arguments(notes, "--skipped", str(tmp_path / "skipped.jsonl")))
    assert "1 document kept, because their files cannot be read now" in done.out
    assert f"twindex: skipped: {notes}/a.md" in done.err
    lines = [json.loads(line) for line in (tmp_path / "skipped.jsonl").read_text().splitlines()]
    assert {line["path"]: line["reason"] for line in lines} == {
        f"{notes}/a.md": "damaged",
        f"{notes}/records.csv": "with records",
    }
    report = run(*arguments(notes, "--json")).json
    assert (report["kept"], report["reasons"]) == (1, {"damaged": 1})
    assert report["problems"][0]["path"] == f"{notes}/a.md"


def test_files_that_are_not_read_are_named(notes: Path, run: Any) -> None:
    plain = [word for word in arguments(notes) if word != "--quiet"]
    assert f"not read: 1 with records (.csv 1), such as {notes}/records.csv" in run(*plain).err
    done = run(*arguments(notes, "--strict"))
    assert (done.status, "omit --strict" in done.err) == (2, True)


def test_an_existing_collection_keeps_its_configuration(notes: Path, run: Any) -> None:
    run(*arguments(notes))
    plain = [word for word in arguments(notes) if word not in LEXICAL]
    assert run(*plain, "--quiet").status == 0
    done = run(*plain, "--language", "de")
    assert (done.status, "legs" in done.err) == (2, True)


def test_an_empty_folder_is_refused(notes: Path, run: Any) -> None:
    run(*arguments(notes))
    notes.rename(notes.with_name("away"))
    done = run(*arguments(notes))
    assert (done.status, "3 of 3 documents would be deleted" in done.err) == (2, True)
    assert ids(notes) == {"a.md", "b.md", "sub/c.txt"}
    assert run(*arguments(notes, "--max-removed", "1")).status == 0
    assert ids(notes) == set()


@pytest.mark.parametrize("sync", [True, False])
def test_nothing_is_created_if_every_file_is_refused(tmp_path: Path, run: Any, sync: bool) -> None:
    bad = tmp_path / "notes"
    bad.mkdir()
    (bad / "a.md").write_bytes(b"\xff\x00")
    (bad / "b.txt").touch()
    skipped = tmp_path / "skipped.jsonl"
    command = [
        word for word in arguments(bad, "--skipped", str(skipped)) if sync or word != "--sync"
    ]
    done = run(*command)
    assert done.status == 2
    assert "2 files and records were refused (1 damaged, 1 empty): " in done.err
    assert f"twindex: skipped: {bad}/b.txt: the file is empty" in done.err
    assert [json.loads(line)["reason"] for line in skipped.read_text().splitlines()] == [
        "damaged",
        "empty",
    ]
    if sync:
        assert run(*command, "--dry-run").status == 2
    assert not (tmp_path / "index").exists()
    (bad / "c.md").write_text("good")
    assert run(*command).status == 0
    assert ids(bad) == {"c.md"}
    (bad / "c.md").write_bytes(b"\xff")
    assert run(*command).status == (0 if sync else 2)
    assert ids(bad) == {"c.md"}


def test_a_first_sync_of_a_folder_without_documents_creates_nothing(
    notes: Path, run: Any, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    done = run(*arguments(tmp_path / "empty"))
    assert (done.status, "contains no file of a known kind" in done.err) == (2, True)
    assert not (tmp_path / "index").exists()
    assert run(*arguments(tmp_path / "empty"), "--documents", "empty", str(notes)).status == 2
    done = run(*arguments(notes), "--documents", str(tmp_path / "empty"), str(notes))
    assert (done.status, ids(notes)) == (0, {"a.md", "b.md", "sub/c.txt"})


def test_build_and_sync_name_the_same_skipped_files(notes: Path, run: Any, tmp_path: Path) -> None:
    beir = tmp_path / "beir"
    beir.mkdir()
    (beir / "corpus.jsonl").write_text('{"_id": "1", "text": "one"}\n')
    (beir / "queries.jsonl").touch()
    (beir / "readme.md").write_text("beside")
    (notes / "loop.md").symlink_to(notes / "loop.md")
    found = []
    for name in ("built", "synced"):
        skipped = tmp_path / f"{name}.jsonl"
        command = [
            *("build", str(tmp_path / name), "--documents", str(notes), str(beir), *LEXICAL),
            *("--json", "--skipped", str(skipped)),
        ]
        done = run(*command, *(["--sync"] if name == "synced" else []))
        lines = [json.loads(line) for line in skipped.read_text().splitlines()]
        found.append((done.json["files"], {line["path"]: line["reason"] for line in lines}))
        assert len(lines) == 3
    assert found[0] == found[1]
    assert found[0][0]["left_out"] == {
        "beside a BEIR corpus": {".md": 1},
        "broken or endless link": {".md": 1},
        "with records": {".csv": 1},
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dry-run"], "--dry-run: requires --sync"),
        (["--reread"], "--reread: requires --sync"),
        (["--max-removed", "1"], "--max-removed: requires --sync"),
        (["--watch", "--dry-run"], "--dry-run: cannot be combined with --watch"),
        (["--sync", "--vectors", "dense=rows.npy"], "--vectors: cannot be combined with --sync"),
        (["--sync", "--memory-budget", "2GB"], "--memory-budget: cannot be combined with --sync"),
        (["--sync", "--id-field", "key"], "--id-field: requires JSON lines or a table"),
    ],
)
def test_wrong_options_are_refused(notes: Path, run: Any, options: list[str], message: str) -> None:
    plain = [word for word in arguments(notes) if word != "--sync"]
    done = run(*plain, *options)
    assert (done.status, message in done.err) == (2, True), done.err
    assert not (notes.parent / "index").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--max-removed", "2"], "must be a number from 0 to 1, got '2'"),
        (["--watch", "0"], "must be a number of seconds from 0.1"),
    ],
)
def test_wrong_numbers_are_refused(notes: Path, capsys: Any, options: list[str], message: str):
    with pytest.raises(SystemExit, match="2"):
        main(arguments(notes, *options))
    assert message in capsys.readouterr().err


class Watcher:
    """A process that runs `twindex build --watch`, and the lines that it prints."""

    def __init__(self, notes: Path, *options: str) -> None:
        command = [sys.executable, "-m", "twindex", *arguments(notes, "--json", *options)]
        self.errors = notes.parent / "errors.txt"
        # Programs that a shell runs in the background ignore SIGINT, and so would their children.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, text=True
            )

    def report(self) -> dict[str, Any]:
        """Wait for the next report."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.errors.read_text()
        found: dict[str, Any] = json.loads(line)
        return found

    def wait_for_error(self, message: str) -> None:
        until = time.monotonic() + 60
        while message not in self.errors.read_text():
            assert time.monotonic() < until
            time.sleep(0.05)

    def stop(self, number: int) -> int:
        self.process.send_signal(number)
        status = self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_watch_follows_the_folder_until_a_signal(notes: Path, number: int) -> None:
    watcher = Watcher(notes, "--watch", "0.1")
    try:
        assert len(watcher.report()["new"]) == 3
        (notes / "new.md").write_text("new")
        assert watcher.report()["new"] == [f"{notes}/new.md"]
        (notes / "new.md").unlink()
        report = watcher.report()
        assert (report["removed"], report["deleted"]) == ([f"{notes}/new.md"], 1)
        # An error does not end it.
        notes.rename(notes.with_name("away"))
        watcher.wait_for_error("would be deleted")
        (notes.with_name("away")).rename(notes)
        (notes / "a.md").write_text("changed")
        report = watcher.report()
        while not report["changed"]:
            report = watcher.report()
        assert report["changed"] == [f"{notes}/a.md"]
    finally:
        status = watcher.stop(number)
    errors = watcher.errors.read_text()
    assert (status, errors.count("would be deleted")) == (0, 1), errors
    assert errors.endswith("twindex: stopped\n")
    assert ids(notes) == {"a.md", "b.md", "sub/c.txt"}
    with Collection.open(notes.parent / "index") as collection:
        assert collection.get("a.md").text == "changed"
        assert collection.verify() == []


def test_watch_refuses_a_missing_folder(notes: Path, run: Any) -> None:
    done = run(*arguments(notes / "none", "--watch"))
    assert (done.status, "no such file or folder" in done.err) == (2, True)
    assert not (notes / "index").exists()
