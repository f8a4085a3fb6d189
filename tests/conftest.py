"""Fixtures shared by all rooms."""

from __future__ import annotations

import compileall
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from itertools import takewhile
from math import inf
from pathlib import Path
from time import monotonic

import pytest
from hypothesis import settings

from .house import ROOMS

REWRITTEN = ("test_", "conftest")
"""Beginnings of the names of files in which pytest rewrites assertions."""

# Test workers share the cores, so each gets one thread.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("quick", max_examples=20, stateful_step_count=30, deadline=None)
settings.register_profile("thorough", max_examples=100, deadline=None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--trials", type=int, help="trials of the tests marked `trials`")
    parser.addoption("--minutes", type=float, help="minutes after which these tests begin no trial")


@pytest.fixture
def trials(request: pytest.FixtureRequest) -> Iterator[int]:
    """The numbers of the trials of a test, from 0: as many as the option or the mark says."""
    marker = request.node.get_closest_marker("trials")
    assert marker is not None
    number: int = request.config.getoption("--trials") or marker.args[0]
    end = monotonic() + 60 * (request.config.getoption("--minutes") or inf)
    return takewhile(lambda _: monotonic() < end, range(number))


def pytest_configure(config: pytest.Config) -> None:
    """Use fewer Hypothesis examples unless the slow tests run too."""
    settings.load_profile("quick" if config.option.markexpr == "not slow" else "thorough")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile a share of the files in each worker before all workers import all files.

    Workers import the files in the same order, so without a compiled copy each would compile all.
    """
    config = session.config
    given = getattr(config, "workerinput", None)
    if given is None or sys.dont_write_bytecode or config.args_source.name != "TESTPATHS":
        return
    number, count = int(given["workerid"].removeprefix("gw")), given["workercount"]
    tests = [p for p in (config.rootpath / "tests").rglob("*.py") if p.stem.startswith(REWRITTEN)]
    try:
        for path in sorted(tests)[number::count]:
            _compile_test(path, config)
    except (ImportError, AttributeError, TypeError):  # Another pytest has other private names.
        return
    package = config.rootpath / ".package" / "twindex"
    for path in sorted(p for room in ROOMS for p in (package / room).rglob("*.py"))[number::count]:
        compileall.compile_file(path, quiet=2)


def _compile_test(path: Path, config: pytest.Config) -> None:
    from _pytest.assertion import rewrite

    folder = rewrite.get_cache_dir(path)
    compiled = folder / f"{path.stem}{rewrite.PYC_TAIL}"
    if rewrite.try_makedirs(folder) and rewrite._read_pyc(path, compiled) is None:
        digest, code = rewrite._rewrite_test(path, config)
        rewrite._write_pyc(config.stash[rewrite.assertstate_key], code, digest, compiled)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each slow test without its own timeout one hour."""
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(3_600))


# No test may reach a model hub, even if the developer's environment allows it.
os.environ["HF_HUB_OFFLINE"] = "1"
# Haystack sends usage data when it is imported and when a pipeline runs.
os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"


NOBODY = 65_534


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A temporary folder that other users can read.

    It is outside pytest's own folder, because pytest closes that to other users.
    """
    folder = Path(tempfile.mkdtemp(prefix="twindex-test-")).resolve()
    folder.chmod(0o755)
    if not all(parent.stat().st_mode & 0o001 for parent in folder.parents):
        folder.rmdir()
        pytest.skip(f"other users cannot reach {folder.parent} (set TMPDIR)")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def as_nobody() -> Callable[[Callable[[], None]], None]:
    """A function that runs another function in a process of the user `nobody`."""
    if os.getuid() != 0:
        pytest.skip("only root can become another user")

    def run(work: Callable[[], None]) -> None:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:  # pragma: no cover - another process
            try:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
                work()
            except BaseException:  # noqa: BLE001
                os.write(write, traceback.format_exc().encode()[-4_000:])
            finally:
                os._exit(0)
        os.close(write)
        with os.fdopen(read) as pipe:
            failure = pipe.read()
        os.waitpid(child, 0)
        assert failure == ""

    return run


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real test collections: TWINDEX_DATA, or shared/data beside the checkout."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("TWINDEX_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"needs the test collections, and {folder} does not exist (set TWINDEX_DATA)")
    return folder
