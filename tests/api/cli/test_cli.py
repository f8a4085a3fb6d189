"""The commands on real collections, with encoders that need no model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from twindex.api.cli.main import main

FAKES = ["--dense", "fake", "--sparse", "fake", "--quiet"]
DOCUMENTS = [
    {"_id": "1", "title": "Kiwi", "text": "The kiwi cannot fly.", "metadata": {"year": 1990}},
    {"_id": "2", "title": "Hawk", "text": "A hawk flies high.", "metadata": {"year": 2000}},
    {"_id": "3", "title": "Eel", "text": "An eel swims. " * 200, "metadata": {"year": 2010}},
]


def jsonl(path: Path, records: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return str(path)


@pytest.fixture
def corpus(tmp_path: Path) -> str:
    return jsonl(tmp_path / "corpus.jsonl", DOCUMENTS)


@pytest.fixture
def index(tmp_path: Path, corpus: str, capsys: pytest.CaptureFixture[str]) -> str:
    path = str(tmp_path / "index")
    sizes = [
        "--passages",
        "words",
        "--passage-threshold",
        "50",
        "--passage-size",
        "40",
        "--passage-overlap",
        "0",
    ]
    assert main(["build", path, "--documents", corpus, *FAKES, *sizes]) == 0
    capsys.readouterr()
    return path


def test_build_prints_its_report(tmp_path: Path, corpus: str, run: Any) -> None:
    done = run("build", str(tmp_path / "a"), "--documents", corpus, *FAKES, "--json")
    assert done.status == 0
    report = done.json
    assert (report["documents"], report["passages"], report["skipped"]) == (3, 3 + 3, 0)
    done = run("build", str(tmp_path / "b"), "--documents", corpus, *FAKES)
    assert done.out.startswith("3 documents in ")
    again = run("build", str(tmp_path / "b"), "--documents", corpus, *FAKES)
    assert again.status == 2
    assert again.err.startswith("twindex: error: ")


def test_progress_is_on_standard_error(tmp_path: Path, corpus: str, run: Any) -> None:
    done = run("build", str(tmp_path / "a"), "--documents", corpus, *FAKES[:-1], "--json")
    assert "3/3" in done.err
    assert done.json["documents"] == 3


def test_bad_records_are_skipped_and_reported(tmp_path: Path, run: Any) -> None:
    bad = [{"_id": str(number), "text": number} for number in range(12)]
    corpus = jsonl(tmp_path / "c.jsonl", [*DOCUMENTS, *bad, DOCUMENTS[0]])
    done = run("build", str(tmp_path / "a"), "--documents", corpus, *FAKES)
    assert done.status == 0
    assert "12 records skipped" in done.out
    assert "1 document replaced by a later document with the same id" in done.out
    assert f"{corpus}:4: text: must be a string" in done.err
    assert "12 records in total" in done.err
    strict = run("build", str(tmp_path / "b"), "--documents", corpus, *FAKES, "--strict")
    assert strict.status == 2
    assert strict.err == f"twindex: error: {corpus}:4: text: must be a string, not an integer\n"


def test_an_input_without_documents_is_an_error(tmp_path: Path, run: Any) -> None:
    corpus = jsonl(tmp_path / "c.jsonl", [{"_id": "1"}])
    done = run("build", str(tmp_path / "a"), "--documents", corpus, *FAKES)
    assert done.status == 2
    assert "c.jsonl:1: text" in done.err
    assert "no document could be read; 1 file or record was refused (1 invalid): " in done.err
    assert "correct them, or name other files" in done.err
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "a").exists()


def test_named_columns(tmp_path: Path, run: Any) -> None:
    table = tmp_path / "c.csv"
    table.write_text("key,name,body,year\na,A,some words,1999\n")
    fields = ["--id-field", "key", "--title-field", "name", "--text-field", "body"]
    index = str(tmp_path / "a")
    numeric = ["--numeric-fields", "year"]
    assert run("build", index, "--documents", str(table), *FAKES, *fields, *numeric).status == 0
    assert run("get", index, "a").json == {
        "id": "a", "title": "A", "text": "some words", "metadata": {"year": 1999}
    }  # fmt: skip
    done = run("build", str(tmp_path / "b"), "--documents", str(table), *FAKES)
    assert "no column id" in done.err
    assert "key, name, body, year" in done.err
    (tmp_path / "notes").mkdir()
    done = run("build", index, "--documents", str(tmp_path / "notes"), *FAKES, *fields)
    assert "--id-field: requires JSON lines or a table in --documents" in done.err


def test_search_shows_every_leg(index: str, run: Any) -> None:
    done = run("search", index, "kiwi", "--limit", "2")
    assert done.status == 0
    assert "1  Kiwi" in done.out.splitlines()[0]
    for leg in ("dense", "sparse", "lexical"):
        assert f"{leg} #1" in done.out.splitlines()[1]
    assert "of 3 documents in" in done.err
    found = run("search", index, "eel", "--legs", "lexical", "--explain", "--json").json
    (hit,) = found["hits"]
    assert (hit["id"], hit["title"], list(hit["legs"])) == ("3", "Eel", ["lexical"])
    assert hit["score"] == hit["legs"]["lexical"]["score"]
    assert hit["passage"]["end"] > hit["passage"]["start"]
    assert [term["term"] for term in hit["explain"]["lexical"]] == ["eel"]
    assert found["total"] == {"value": 1, "relation": "eq"}
    assert found["index"]["encoder"] == {"dense": "fake", "sparse": "fake", "lexical": "en"}
    out = run("search", index, "eel", "--explain").out
    assert "eel " in out
    assert "lexical adds " in out
    leg = found["hits"][0]["legs"]["lexical"]
    assert leg["contribution"] == leg["scaled"] == found["hits"][0]["score"]  # Only one leg ran.


def test_search_with_filter_weights_and_fusion(index: str, run: Any) -> None:
    late = ["--filter", '{"year": {"gte": 2000}}', "--json"]
    ids = [hit["id"] for hit in run("search", index, "kiwi hawk eel", *late).json["hits"]]
    assert set(ids) == {"2", "3"}
    options = ["--legs", "dense=0,lexical=2", "--fusion", "rrf", "--rrf-k", "1", "--json"]
    hits = run("search", index, "kiwi", *options).json["hits"]
    assert hits[0]["score"] == pytest.approx(2 / (1 + 1))
    page = run("search", index, "kiwi", "--offset", "1", "--limit", "1").out
    assert page.startswith("  2. ")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--legs", "nonsense"], "there is no leg 'nonsense'"),
        (["--filter", '{"year": {"near": 3}}'], "year"),
        (["--limit", "2000"], "limit"),
        (["--legs", "dense,dense"], "error: `legs` must name each leg once"),
    ],
)
def test_an_invalid_search_names_the_option(
    index: str, run: Any, argv: list[str], words: str
) -> None:
    done = run("search", index, "kiwi", *argv)
    assert done.status == 2
    assert words in done.err
    assert "Traceback" not in done.err


def test_add_delete_get(tmp_path: Path, index: str, run: Any) -> None:
    new = jsonl(tmp_path / "new.jsonl", [{"_id": "1", "text": "new"}, {"_id": "4", "text": "four"}])
    report = run("add", index, "--documents", new, "--quiet", "--json").json
    assert (report["documents"], report["replaced"], report["unchanged"]) == (2, 1, 0)
    again = run("add", index, "--documents", new, "--quiet")
    assert (
        again.out
        == "0 documents written in 0 passages, 0 of them replaced\n2 documents unchanged\n"
    )
    assert run("get", index, "1").json["text"] == "new"
    assert run("delete", index, "--id", "1", "9", "1", "--json").json == {
        "deleted": 1, "not_found": 1
    }  # fmt: skip
    gone = run("get", index, "1")
    assert (gone.status, gone.out) == (2, "")
    (tmp_path / "ids.txt").write_text("4\n\n")
    done = run("delete", index, "--ids-file", str(tmp_path / "ids.txt"))
    assert done.out == "1 document deleted\n"
    where = run("delete", index, "--filter", '{"year": {"gte": 2010}}', "--json")
    assert where.json == {"deleted": 1, "warnings": []}
    assert run("info", index, "--json").json["documents"] == 1


def test_info_merge_verify(index: str, run: Any) -> None:
    assert run("verify", index).out.endswith("sound\n")
    assert run("verify", index, "--json").json == {"sound": True, "problems": []}
    text = run("info", index).out
    assert "3 documents" in text
    assert "leg lexical: lexical" in text
    run("delete", index, "--id", "3")
    merged = run("merge", index, "--quiet", "--json").json
    assert merged["merged"]
    assert run("info", index, "--json").json["segments"][0]["dead_passages"] == 0
    assert run("merge", index, "--quiet").out == "nothing to merge\n"


def test_damage_is_named_and_ends_with_status_1(tmp_path: Path, index: str, run: Any) -> None:
    victim = next(path for path in Path(index, "segments").rglob("*") if path.is_file())
    content = bytearray(victim.read_bytes())
    content[-1] ^= 1
    victim.write_bytes(content)
    done = run("verify", index)
    assert done.status == 1
    assert victim.name in done.out
    assert "Restore the collection from a backup" in done.err
    new = jsonl(tmp_path / "new.jsonl", [{"_id": "4", "text": "four"}])
    for argv in (
        ["search", index, "kiwi"],
        ["info", index],
        ["get", index, "1"],
        ["merge", index, "--quiet"],
        ["delete", index, "--id", "1"],
        ["add", index, "--documents", new, "--quiet"],
    ):
        done = run(*argv)
        assert done.status == 1, argv
        assert victim.name in done.err
    victim.write_bytes(content[:-1])
    done = run("verify", index, "--json")
    assert done.status == 1
    assert any(victim.name in problem for problem in done.json["problems"])
    done = run("search", index, "kiwi")
    assert done.status == 1
    assert victim.name in done.err


def test_commands_require_an_existing_collection(tmp_path: Path, run: Any) -> None:
    for command in (["info"], ["verify"], ["merge"], ["search", "query"], ["get", "1"]):
        done = run(command[0], str(tmp_path / "none"), *command[1:])
        assert (done.status, done.out) == (2, "")
        assert done.err.startswith("twindex: error: ")


@pytest.mark.parametrize(
    "argv",
    [
        ["search", "DIR", "caf\udce9"],
        ["search", "DIR", "q", "--filter", '{"lang": "\\ud800"}'],
        ["search", "DIR", "q", "--legs", "d\udce9"],
        ["get", "DIR", "\udce9"],
        ["delete", "DIR", "--id", "1", "\udce9"],
        ["delete", "DIR", "--filter", '{"\udce9": 1}'],
    ],
)
def test_arguments_must_be_utf_8(index: str, run: Any, argv: list[str]) -> None:
    done = run(*[index if item == "DIR" else item for item in argv])
    assert (done.status, done.out) == (2, "")
    assert "is not UTF-8" in done.err


def test_paths_may_be_any_bytes(tmp_path: Path, corpus: str, run: Any) -> None:
    path = str(tmp_path / "caf\udce9")
    assert run("build", path, "--documents", corpus, *FAKES).status == 0
    assert run("search", path, "kiwi").status == 0
    assert run("info", path, "--json").json["documents"] == 3


def test_a_file_is_rejected_as_a_collection(corpus: str, run: Any, capsys: Any) -> None:
    for argv in (["build", corpus, "--documents", corpus, *FAKES], ["info", corpus]):
        with pytest.raises(SystemExit) as ended:
            main(argv)
        assert ended.value.code == 2
        assert "is a file; name a folder" in capsys.readouterr().err
    below = run("build", f"{corpus}/below", "--documents", corpus, *FAKES)
    assert below.status == 1
    assert "cannot be created" in below.err


@pytest.mark.parametrize("condition", ["{}", '{"and": []}', '{"and": [{"or": []}]}'])
def test_a_filter_without_a_condition_deletes_nothing(index: str, run: Any, condition: str) -> None:
    done = run("delete", index, "--filter", condition)
    assert done.status == 2
    assert "filter" in done.err
    assert run("info", index, "--json").json["documents"] == 3


@pytest.mark.slow
def test_demo_builds_once(tmp_path: Path, run: Any) -> None:
    folder = str(tmp_path / "demo" / "stdlib")
    first = run("demo", folder, *FAKES)
    assert first.status == 0
    assert "documents indexed in" in first.out
    assert first.out.count("» ") == 3
    assert first.out.count("lexical #") >= 3
    assert "http://127.0.0.1:8080/" in first.out
    second = run("demo", folder, *FAKES)
    assert "documents already" in second.out
    other = run("demo", folder, "--dense", "none", "--quiet")
    assert other.status == 2
    assert "contains another collection" in other.err


# Through real processes


def twindex(*argv: str, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "twindex.api.cli.main", *argv]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, **options)


def test_no_traceback_without_debug(tmp_path: Path) -> None:
    quiet = twindex("info", str(tmp_path))
    out, err = quiet.communicate()
    assert (quiet.returncode, out) == (2, "")
    assert err.startswith("twindex: error: ")
    assert err.count("\n") == 1
    loud = twindex("info", str(tmp_path), env={**os.environ, "TWINDEX_DEBUG": "1"})
    assert "Traceback" in loud.communicate()[1]
    assert loud.returncode == 1


def test_a_closed_pipe_is_not_an_error(index: str) -> None:
    with twindex("info", index, "--json") as done:
        assert done.stdout is not None
        assert done.stderr is not None
        done.stdout.close()
        assert done.stderr.read() == ""
    assert done.returncode == 141


@pytest.mark.slow
def test_an_interrupted_build_is_continued(tmp_path: Path) -> None:
    """The build is interrupted while it waits for documents, with a part on disk."""
    lines = [
        json.dumps({"_id": str(number), "text": f"text {number} " * 9}) + "\n"
        for number in range(6_000)
    ]
    folder = tmp_path / "c"
    arguments = ["build", str(folder), "--documents", "-", *FAKES]
    # A test run in the background ignores SIGINT, and its children would do so too.
    default = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = twindex(*arguments, stdin=subprocess.PIPE, preexec_fn=default)
    assert process.stdin is not None
    process.stdin.write("".join(lines[:5_000]))
    process.stdin.flush()
    while process.poll() is None and len(list(folder.glob("segments/*/numbers.npy"))) < 2:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert "run the same command again to continue" in err
    again = twindex(*arguments, "--json", stdin=subprocess.PIPE)
    out, err = again.communicate("".join(lines))
    assert again.returncode == 0, err
    report = json.loads(out)
    assert report["documents"] == len(lines)
    assert report["resumed_at"] > 0


def test_building_over_a_finished_collection_suggests_a_remedy(tmp_path: Path, run: Any) -> None:
    notes = tmp_path / "a.md"
    notes.write_text("# A\n\ntext")
    argv = ["build", str(tmp_path / "index"), "--documents", str(notes), *FAKES]
    assert run(*argv).status == 0
    again = run(*argv)
    assert again.status == 2
    assert "add documents to it, or remove the folder to build the collection again" in again.err
