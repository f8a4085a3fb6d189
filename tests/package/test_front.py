"""The names that `import twindex` offers, and the modules that it loads."""

from __future__ import annotations

import ast
import copy
import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import twindex

NAMES = [
    "AccessError", "Answer", "AnswerRequest", "AsyncClient", "Client", "Collection",
    "CollectionConfig", "ConfigError", "ConflictError", "CorruptFileError", "Document",
    "EncoderMismatchError", "GeneratorRegistry", "Hit", "InvalidInputError", "MissingExtraError",
    "ModelError", "NotFoundError", "PreconditionFailedError", "RerankerRegistry",
    "RewriterRegistry", "SearchRequest", "SearchResult", "ServiceError", "SourceError",
    "StorageError", "TimeLimitError", "TwindexError", "UnavailableError", "UnsupportedByStoreError",
    "UnsupportedError", "UpdateReport", "WriteReport",
    "__version__", "build", "create", "open_or_create", "register", "sync",
]  # fmt: skip


def test_exported_names():
    assert twindex.__all__ == NAMES
    assert dir(twindex) == sorted([*NAMES, "open"])
    for name in (*NAMES, "open"):  # `from twindex import *` leaves the builtin `open` alone.
        assert getattr(twindex, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Colection'"):
        twindex.Colection  # noqa: B018


def test_type_checkers_see_all_names():
    tree = ast.parse(Path(twindex.__file__).read_text())
    (checked,) = (node for node in tree.body if isinstance(node, ast.If))
    imported = {
        (node.module, alias.name)
        for node in checked.body
        if isinstance(node, ast.ImportFrom) and node.level
        for alias in node.names
    }
    homes = {(home, name) for home, names in twindex._HOMES.items() for name in names}
    assert imported == homes
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert {name for _, name in homes} | defined - {"__getattr__", "__dir__"} - {
        "_collection",
        "_config",
    } == {*NAMES, "open"} - {"__version__"}


@pytest.mark.parametrize(
    ("code", "slow"),
    [
        ("import twindex", {"numpy", "pydantic", "torch", "faiss", "httpx2"}),
        ("from twindex import Document, NotFoundError", {"scipy", "torch", "faiss", "numba"}),
        ("from twindex import Client", {"scipy", "torch", "faiss", "numba", "fastapi"}),
        ("from twindex import Collection", {"scipy", "torch", "faiss", "numba", "fastapi"}),
    ],
)
def test_import_does_not_load_slow_modules(code, slow):
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], check=True, capture_output=True
    )
    assert not slow & set(json.loads(done.stdout))


def test_functions_equal_the_methods_of_collection(tmp_path):
    config = twindex.CollectionConfig.parse({"legs": {"lexical": {"kind": "lexical"}}})
    with twindex.create(tmp_path / "c", config.model_dump()) as made:
        made.add([{"id": "kiwi", "text": "The kiwi cannot fly."}])
    with twindex.open(tmp_path / "c", read_only=True) as opened:
        assert opened.search("kiwi").hits[0].id == "kiwi"
    with twindex.open_or_create(tmp_path / "c", config) as again:
        assert again.count() == 1
        assert repr(again) == f"Collection('{tmp_path / 'c'}')"


def test_package_runs_as_a_command():
    done = subprocess.run(
        [sys.executable, "-m", "twindex", "--version"], check=True, capture_output=True, text=True
    )
    assert done.stdout == f"twindex {twindex.__version__}\n"


@pytest.mark.parametrize(
    "error",
    [
        twindex.NotFoundError("no collection"),
        twindex.InvalidInputError("too small", field="limit"),
        twindex.SourceError("no text", path=Path("a.jsonl"), line=3, field="text"),
        twindex.CorruptFileError(Path("numbers.npy"), "was altered"),
        twindex.MissingExtraError("pandas", "notebook"),
    ],
)
def test_errors_can_be_pickled(error):
    again = copy.copy(pickle.loads(pickle.dumps(error)))  # noqa: S301 - made a line above
    assert type(again) is type(error)
    assert (str(again), again.__dict__) == (str(error), error.__dict__)


def test_the_error_of_a_damaged_file_ends_with_a_remedy():
    path = Path("jobs/1.ndjson")
    error = twindex.CorruptFileError(path, "is missing", remedy="send the lines again")
    assert str(error) == "jobs/1.ndjson: is missing; send the lines again"
    assert (error.path, error.problem, error.code) == (path, "is missing", "corrupt")
    assert str(twindex.CorruptFileError(path, "is missing")) == (
        "jobs/1.ndjson: is missing; restore the collection from a backup, or build it again; "
        "`twindex verify` lists all damage"
    )
