"""Folders that are free for a new collection, and folders that hold other files."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from twindex.core import ConflictError, NotFoundError
from twindex.index import CollectionConfig, LexicalLeg
from twindex.search import Collection, build

CONFIG = CollectionConfig(legs={"lexical": LexicalLeg()})
DOCUMENTS = [{"id": "kiwi", "text": "The kiwi cannot fly."}]

MAKERS: dict[str, Any] = {
    "create": lambda path: Collection.create(path, CONFIG).close(),
    "open_or_create": lambda path: Collection.open_or_create(path, CONFIG).close(),
    "build": lambda path: build(path, DOCUMENTS, CONFIG),
}


@pytest.fixture(params=MAKERS)
def make(request: pytest.FixtureRequest) -> Any:
    return MAKERS[request.param]


def test_a_folder_with_other_files_is_refused(make: Any, tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_text("years of work")
    with pytest.raises(ConflictError, match=r"such as thesis\.doc; use a new or empty folder"):
        make(tmp_path)
    assert os.listdir(tmp_path) == ["thesis.doc"]


def test_hidden_files_do_not_count(make: Any, tmp_path: Path) -> None:
    for name in (".DS_Store", ".gitkeep", "lost+found"):
        (tmp_path / name).touch()
    make(tmp_path)
    Collection.open(tmp_path).close()


def test_other_files_beside_a_collection_are_no_obstacle(tmp_path: Path) -> None:
    MAKERS["create"](tmp_path)
    (tmp_path / "notes.txt").touch()
    MAKERS["open_or_create"](tmp_path)


@pytest.mark.parametrize("names", [["collection.db"], ["build.lock"], ["segments/"]])
def test_the_leftovers_of_an_interrupted_creation_are_accepted(
    make: Any, tmp_path: Path, names: list[str]
) -> None:
    for name in names:
        if name.endswith("/"):
            (tmp_path / name).mkdir()
        else:
            (tmp_path / name).touch()
    make(tmp_path)
    Collection.open(tmp_path).close()


@pytest.mark.parametrize("step", ["create_tables", "mark"])
def test_a_killed_creation_can_be_repeated(make: Any, tmp_path: Path, step: str) -> None:
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        from twindex.index.store.database import database
        from twindex.index.store.database.mark import Mark

        def die(*_: object) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        if step == "mark":
            Mark.reset = die  # type: ignore[method-assign]
        else:
            database.create_tables = die
        MAKERS["create"](tmp_path)
        os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    with pytest.raises(NotFoundError):
        Collection.open(tmp_path)
    make(tmp_path)
    Collection.open(tmp_path).close()
