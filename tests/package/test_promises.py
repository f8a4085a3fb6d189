"""Promises of SECURITY.md that no other test checks, and the files that the page names."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys

import pytest

from twindex.api.cli.main import main
from twindex.api.http.server import serve
from twindex.core import ModelError
from twindex.llm import find_weights

from ..house import HOUSE, ROOMS

SECURITY = (HOUSE / "SECURITY.md").read_text()
PICKLES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
UNSAFE = {"allow_pickle": True, "trust_remote_code": True, "weights_only": False}
"""Arguments that make a library read a pickle or run foreign code."""

# Ends the process at any name look-up or connection, even if the error would be caught.
GUARD = """
import os, sys

def forbid(event, values):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect"):
        print("forbidden:", event, values, file=sys.stderr, flush=True)
        os._exit(99)

sys.addaudithook(forbid)
"""
OFFLINE = """
from pathlib import Path
from twindex.api.cli.main import main
from twindex.core import ModelError
from twindex.llm import find_weights

Path("notes.md").write_text("The kiwi cannot fly.")
build = ["build", "index", "--documents", "notes.md", "--quiet"]
assert main([*build, *sys.argv[1:]]) == 0
assert main(["search", "index", "flightless bird", "--explain"]) == 0
try:
    find_weights("nobody/no-such-model")
except ModelError as error:
    print(error)
"""


def test_named_test_files_exist():
    paths = re.findall(r"`(tests/[\w/]+\.py)`", SECURITY)
    assert len(paths) >= 8
    for path in paths:
        assert (HOUSE / path).is_file(), path


@pytest.mark.parametrize("default_models", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_building_and_searching_opens_no_connection(default_models, tmp_path):
    if default_models:
        try:
            find_weights("all-MiniLM-L6-v2")
            find_weights("splade-tiny")
        except ModelError as error:
            pytest.skip(f"needs the default models: {error}")
    # Without these variables, the settings of the libraries allow access to the hub.
    removed = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "TWINDEX_ALLOW_DOWNLOAD")
    environment = {name: value for name, value in os.environ.items() if name not in removed}
    legs = [] if default_models else ["--dense", "fake", "--sparse", "fake"]
    done = subprocess.run(
        [sys.executable, "-c", GUARD + OFFLINE, *legs],
        cwd=tmp_path,
        env=environment | {"HF_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "notes.md" in done.stdout
    assert "TWINDEX_ALLOW_DOWNLOAD=1" in done.stdout


def test_guard_detects_a_connection():
    code = f"{GUARD}\nimport socket\nsocket.socket().connect(('127.0.0.1', 9))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 99
    assert "forbidden: socket.connect" in done.stderr


def test_product_does_not_use_pickle():
    for room in ROOMS:
        for path in (HOUSE / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                assert not PICKLES & imported(node), path
                if isinstance(node, ast.Call):
                    if isinstance(node.func, (ast.Name, ast.Attribute)):
                        assert ast.unparse(node.func) not in ("torch.load", "eval", "exec"), path
                    for given in node.keywords:
                        if isinstance(given.value, ast.Constant) and given.arg in UNSAFE:
                            assert given.value.value != UNSAFE[given.arg], path


def imported(node: ast.AST) -> set[str]:
    """Return the top-level modules that a statement imports."""
    if isinstance(node, ast.Import):
        return {alias.name.partition(".")[0] for alias in node.names}
    if isinstance(node, ast.ImportFrom) and not node.level:
        return {(node.module or "").partition(".")[0]}
    return set()


def test_server_listens_on_localhost_by_default(capsys):
    assert inspect.signature(serve).parameters["host"].default == "127.0.0.1"
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    printed = capsys.readouterr().out
    assert re.search(r"--host HOST\s+address to listen on \(default: 127\.0\.0\.1\)", printed)


def test_page_contains_no_address():
    assert "@" not in SECURITY
    assert "://" not in SECURITY
