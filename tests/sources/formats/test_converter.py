"""Files are converted in one process within limits: a bad file costs only its own conversion."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from twindex.core import InvalidInputError, SourceError, StorageError
from twindex.sources import FileReader, Format, Limits, register_format
from twindex.sources.formats import kinds
from twindex.sources.formats.limits import MIN_MEMORY

from . import samples

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def plug_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A format `.bad` of a package that is only on `sys.path`."""
    monkeypatch.syspath_prepend(HERE)
    monkeypatch.setattr(kinds, "_formats", dict(kinds._formats))
    register_format(Format("text/x-bad", (".bad",), "plug_in:read"))


@pytest.fixture(scope="module")
def limited() -> Iterator[FileReader]:
    with FileReader(Limits(seconds=2, memory=MIN_MEMORY, characters=1000)) as reader:
        yield reader


BAD = {
    "hang": ("over a limit", "takes more than 2 seconds; raise the limit `seconds`"),
    "eat memory": ("over a limit", "needs more than 268,435,456 bytes of memory"),
    "crash": ("damaged", "its reader crashed (SIGSEGV)"),
    "exit": ("damaged", "its reader crashed (status 3)"),
    "raise": ("damaged", "KeyError: 'no such part'"),
    "recurse": ("over a limit", "nested too deeply"),
    "long": ("too large", "has 1,001 characters of text, but the limit is 1,000"),
}


@pytest.mark.timeout(60)
def test_bad_files_are_named_and_the_others_are_read(
    tmp_path: Path, read: Callable, limited: FileReader
) -> None:
    bad = {f"{number}.bad": text for number, text in enumerate(BAD)}
    good = {f"{number}.html": "<p>good" for number in range(len(BAD) + 1)}
    samples.write(tmp_path, {**bad, **good, "p.bad": "print", "s.bad": "surrogates"})
    found, errors = read(tmp_path, limited)
    assert set(found) == {*good, "p.bad", "s.bad"}
    assert found["p.bad"].text == "read"
    assert (found["s.bad"].text, found["s.bad"].metadata["k?"]) == ("a?b", ["v?"])
    assert set(errors) == set(bad)
    for name, text in bad.items():
        reason, message = BAD[text]
        assert errors[name].reason == reason, text
        assert message in str(errors[name]), text


def test_one_process_serves_all_files(tmp_path: Path, read: Callable) -> None:
    samples.write(tmp_path, {f"{number}.bad": "pid" for number in range(3)})
    with FileReader() as reader:
        pids = {document.text for document in read(tmp_path, reader)[0].values()}
        assert len(pids) == 1
        assert reader.peak_bytes > 1 << 20
    (pid,) = pids
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


@pytest.mark.parametrize("text", ["hang", pytest.param("sleep", marks=pytest.mark.slow)])
def test_process_ends_with_its_parent(tmp_path: Path, text: str) -> None:
    """Also in the middle of a file, if the parent is killed."""
    (tmp_path / "a.bad").write_text(text)
    code = (
        "import sys, pathlib\n"
        "from twindex.sources import FileReader, Format, register_format\n"
        "register_format(Format('text/x-bad', ('.bad',), 'plug_in:read'))\n"
        "reader = FileReader()\n"
        "print(reader.converter._started().pid, flush=True)\n"
        "list(reader.read(pathlib.Path(sys.argv[1])))"
    )
    path = os.pathsep.join([str(HERE), *filter(None, sys.path)])
    parent = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "a.bad"],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        time.sleep(0.5)
        parent.send_signal(signal.SIGKILL)
    until = time.monotonic() + 20
    while running(pid):
        assert time.monotonic() < until
        time.sleep(0.1)


def running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_process_that_does_not_start_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.bad").write_text("pid")
    monkeypatch.setattr("twindex.sources.formats.converter._COMMAND", "raise SystemExit(1)")
    with FileReader() as reader, pytest.raises(StorageError, match="does not start"):
        list(reader.read(tmp_path / "a.bad"))


def test_abandoned_reading_leaves_no_process_and_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    samples.write(
        tmp_path, {"a.zip": samples.zipped({"a.md": "a", "b/c.bad": "raise", "d.bad": "pid"})}
    )
    with FileReader() as reader:
        documents = reader.read(tmp_path / "a.zip")
        assert next(documents).id == "a.zip/a.md"
        assert list(temporary.iterdir())
        documents.close()  # type: ignore[attr-defined]
        assert not list(temporary.iterdir())
        errors: list[SourceError] = []
        found = [one.id for one in reader.read(tmp_path / "a.zip", "x/a.zip", errors.append)]
        assert found == ["x/a.zip/a.md", "x/a.zip/d.bad"]
        assert [error.path for error in errors] == [tmp_path / "a.zip/b/c.bad"]
        with pytest.raises(SourceError, match=r"a\.zip/b/c\.bad: cannot be read"):
            list(reader.read(tmp_path / "a.zip"))
        assert not list(temporary.iterdir())


def test_limits_are_parsed_and_checked() -> None:
    assert Limits.parse("memory=3GB, seconds=5") == Limits(memory=3 << 30, seconds=5)
    assert Limits.parse("") == Limits()
    for text, words in (
        ("size=3", "'size' is not a limit; known limits: seconds, memory"),
        ("seconds", "seconds must be a number such as 100 or 2GB, got ''"),
        ("seconds=1.5", "got '1.5'"),
        ("seconds=0", "seconds: must be at least 1, got 0"),
        ("memory=1MB", "memory: must be at least 268,435,456, got 1048576"),
    ):
        with pytest.raises(InvalidInputError, match=words):
            Limits.parse(text)
    for name, value in (("seconds", 1.5), ("bytes", "5"), ("depth", None), ("members", True)):
        with pytest.raises(InvalidInputError, match=f"{name}: must be a whole number, got "):
            Limits(**{name: value})


@pytest.mark.timeout(60)
@pytest.mark.parametrize("before", ["", ".", "part"])
def test_modules_in_the_current_folder_are_not_run(tmp_path: Path, before: str) -> None:
    """Not even if the path of the parent begins with the current folder or a relative one."""
    for folder in (tmp_path, tmp_path / "part"):
        folder.mkdir(exist_ok=True)
        for name in ("resource", "html", "struct", "twindex"):
            (folder / f"{name}.py").write_text("open('run', 'w').close()\nraise SystemExit(1)")
    (tmp_path / "a.htm").write_text("<p>good")
    code = (
        "import sys, pathlib\n"
        "from twindex.sources import FileReader\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "with FileReader() as reader:\n"
        "    print([one.text for one in reader.read(pathlib.Path('a.htm'))])"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, before],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "['good\\n']\n", done.stderr
    assert not (tmp_path / "run").exists()
