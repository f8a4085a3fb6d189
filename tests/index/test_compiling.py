"""Machine code is cached in folders that only this user can write, and reused at later starts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import pytest

import twindex
from twindex.core import StorageError
from twindex.index import compiling
from twindex.index.compiling import private_folder

NOBODY = 65_534

START = """
import json, logging, os, sys

import numba, numpy, twindex.index.inverted

for name in [name for name in sys.modules if name.split(".")[0] == "twindex"]:
    del sys.modules[name]
numba.njit(lambda x: x + 1)(1)  # Loads the compiler, whose files another user may not reach.
numba.njit(lambda x: x @ x)(numpy.ones(2))
sys.path.insert(0, sys.argv[1])
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
lines = []
handler = logging.Handler()
handler.emit = lambda record: lines.append(record.getMessage())
logging.getLogger("twindex").addHandler(handler)

import twindex

from twindex.index.inverted.probe import plus

assert twindex.__file__.startswith(sys.argv[1]), twindex.__file__
assert plus(2, 3) == 5
assert numba.config.CACHE_DIR == os.environ.get("NUMBA_CACHE_DIR", "")
stats = plus.stats
print(json.dumps({
    "found": sum(stats.cache_hits.values()),
    "compiled": sum(stats.cache_misses.values()),
    "folder": stats.cache_path,
    "log": lines,
}))
"""

PROBE = """
from ..compiling import kernel


@kernel
def plus(a, b):
    return a + b
"""


@pytest.fixture
def folder(reachable):
    return reachable


@pytest.fixture
def installed(folder):
    """A copy of the package that its user cannot write, with one extra kernel."""
    source, site = Path(twindex.__file__).parent, folder / "site"
    names = ["__init__.py", "core", "llm", "sources", "encoders", "index"]
    for name in names:
        ignored = shutil.ignore_patterns("__pycache__")
        if (source / name).is_dir():
            shutil.copytree(source / name, site / "twindex" / name, ignore=ignored)
        else:
            (site / "twindex").mkdir(parents=True)
            shutil.copy(source / name, site / "twindex" / name)
    (site / "twindex" / "index" / "inverted" / "probe.py").write_text(PROBE)
    paths = [site, *site.rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield site
    for path in paths:
        path.chmod(0o755)


def start(site: Path, home: Path, **variables: str) -> dict[str, Any]:
    """Start Python as a user who cannot write the package's folder, and run a kernel."""
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")}
    done = subprocess.run(
        [sys.executable, "-c", START, str(site)],
        env={**kept, "HOME": str(home), **variables},
        cwd="/",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def own(path: Path) -> Path:
    """Create a folder that belongs to the user of the process that `start` runs."""
    path.mkdir(mode=0o700, parents=True)
    path.chmod(0o700)
    if os.getuid() == 0:
        os.chown(path, NOBODY, NOBODY)
    return path


@pytest.mark.slow
def test_the_second_start_compiles_nothing(folder, installed):
    home = own(folder / "home")
    first, second = start(installed, home), start(installed, home)
    kernels = home / ".cache" / "twindex" / "kernels"
    assert (first["found"], first["compiled"]) == (0, 1)
    assert (second["found"], second["compiled"]) == (1, 0)
    assert first["folder"].startswith(str(kernels))
    assert second["log"] == []
    (note,) = first["log"]
    assert note.startswith("compiling numerical code for the first time")
    assert kernels.stat().st_mode & 0o777 == 0o700
    assert list(kernels.rglob("*.nbi"))


@pytest.mark.slow
def test_cache_folder_from_the_environment_is_used(folder, installed):
    home = Path("/nowhere")
    cache = start(installed, home, TWINDEX_CACHE=str(own(folder / "cache")))
    assert cache["folder"].startswith(str(folder / "cache" / "kernels"))
    numba = start(installed, home, NUMBA_CACHE_DIR=str(own(folder / "numba")))
    assert numba["folder"].startswith(str(folder / "numba"))
    for (note,) in (cache["log"], numba["log"]):
        assert note.startswith("compiling numerical code for the first time")


def test_without_a_cache_folder_kernels_run_and_a_warning_is_logged(folder, installed):
    found = start(installed, Path("/nowhere"))
    assert (found["found"], found["compiled"], found["folder"]) == (0, 1, None)
    (line,) = found["log"]
    assert "/nowhere" in line
    assert "TWINDEX_CACHE" in line


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make folders of other users")
def test_a_planted_folder_is_refused(folder, installed):
    cache = own(folder / "cache")
    (cache / "kernels").mkdir(mode=0o777)
    (cache / "kernels").chmod(0o777)
    found = start(installed, own(folder / "home"), TWINDEX_CACHE=str(cache))
    assert found["folder"] is None
    (line,) = found["log"]
    assert f"{cache / 'kernels'} belongs to another user (id 0)" in line
    assert list((cache / "kernels").iterdir()) == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make files of other users")
@pytest.mark.parametrize("name", ["probe.nbi", "folder"])
def test_files_of_other_users_in_a_private_folder_are_refused(tmp_path, name):
    """The folder was writable by others before; a file that they planted is still in it."""
    folder = private_folder(tmp_path / "kernels")
    (folder / "own").mkdir()
    planted = folder / "own" / name
    planted.mkdir() if name == "folder" else planted.write_bytes(b"")
    assert private_folder(folder) == folder
    os.chown(planted, NOBODY, NOBODY)
    with pytest.raises(StorageError, match=f"{name} belongs to another user .id 65534.; remove it"):
        private_folder(folder)


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
@pytest.mark.parametrize("place", ["kernels", "."])
def test_a_folder_that_others_can_write_is_refused(tmp_path, mode, place):
    folder = tmp_path / "cache" / "kernels"
    folder.mkdir(parents=True)
    folder.chmod(0o700)
    folder.parent.chmod(0o700)
    assert private_folder(folder) == folder
    (folder.parent / place if place == "kernels" else folder.parent).chmod(mode)
    with pytest.raises(StorageError, match="can be written by other users"):
        private_folder(folder)


def test_the_target_of_a_link_is_checked(tmp_path):
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    (tmp_path / "kernels").symlink_to(open_to_all)
    with pytest.raises(StorageError, match="open can be written by other users"):
        private_folder(tmp_path / "kernels")


def test_missing_folders_are_made_for_this_user_only(tmp_path):
    umask = os.umask(0)
    try:
        made = private_folder(tmp_path / "cache" / "twindex" / "kernels")
    finally:
        os.umask(umask)
    assert [path.stat().st_mode & 0o777 for path in (made, *made.parents[:2])] == [0o700] * 3


def test_compilation_is_logged_once(caplog, monkeypatch):
    monkeypatch.setattr(compiling, "_LOGGED", Lock())
    threads = [Thread(target=compiling._log_once, args=(f"number {n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    compiling._warn_uncached("no room")
    assert len(caplog.messages) == 1
