"""Folders and files that a user may not read raise a StorageError, never an OSError."""

from __future__ import annotations

import logging.config  # noqa: F401 - loaded while this user can read Python's own files
import os
from pathlib import Path

import pytest

import twindex.api.http.server  # noqa: F401 - as above
from twindex.api.cli.main import main
from twindex.api.http.app import create_app
from twindex.api.serving.settings import Settings
from twindex.core import Document, StorageError
from twindex.index import LocalStore
from twindex.search import Collection, build

from .damage import configuration, fill

PLACES = {
    "root": ".",
    "folder": "c",
    "database": "c/collection.db",
    "segments": "c/segments",
    "segment": "c/segments/*",
    "leg": "c/segments/*/dense",
    "file": "c/segments/*/spans.npy",
}


@pytest.fixture
def root(reachable):
    """A folder with a collection, in a parent folder that other users can enter."""
    root = reachable / "root"
    root.mkdir()
    with Collection.create(root / "c", configuration()) as collection:
        fill(collection)
    return root


def deny_others(root: Path, place: str) -> None:
    for path in root.glob(place) if "*" in place else [root / place]:
        path.chmod(0o700 if path.is_dir() else 0o600)


def search(path: Path, *, read_only: bool) -> None:
    with Collection.open(path, read_only=read_only) as collection:
        collection.search("kiwi")


@pytest.mark.parametrize("place", PLACES)
def test_unreadable_files_are_named_in_the_error(root, as_nobody, place, capfd):
    deny_others(root, PLACES[place])
    path = root / "c"

    def work() -> None:
        named = r"(collection\.(db|mark)|\.npy|vectors|lists|terms)"
        with pytest.raises(StorageError, match=named):
            search(path, read_only=True)
        with pytest.raises(StorageError):
            search(path, read_only=False)
        for make in (Collection.create, Collection.open_or_create):
            with pytest.raises(StorageError):
                make(path, configuration())
        with pytest.raises(StorageError):
            build(path, [Document("a", "b")], configuration())
        if place in ("root", "folder", "database"):
            with pytest.raises(StorageError):
                LocalStore.verify(path)
        else:
            assert LocalStore.verify(path) != []
        for command in (["info"], ["search", "kiwi"], ["get", "n1"], ["merge"], ["verify"]):
            assert main([command[0], str(path), *command[1:]]) == 1, command

    as_nobody(work)
    lines = capfd.readouterr().err.splitlines()
    assert len([line for line in lines if line.startswith("twindex: error: ")]) >= 4
    assert not any("[Errno" in line and "cannot be" not in line for line in lines), lines


def test_an_unreadable_mark_does_not_prevent_reading(root, as_nobody, caplog):
    (root / "c" / "collection.mark").chmod(0o600)

    def work() -> None:
        search(root / "c", read_only=True)
        assert "collection.mark: cannot be read" in caplog.text
        (problem,) = LocalStore.verify(root / "c")
        assert "collection.mark: cannot be read" in problem

    as_nobody(work)


def test_a_server_of_a_folder_that_cannot_be_entered_does_not_start(root, as_nobody):
    def work() -> None:
        for given in (root, root / "c"):
            with pytest.raises(StorageError, match="cannot be read: Permission denied"):
                create_app(given, Settings())
            assert main(["serve", str(given), "--port", "0"]) == 1

    root.chmod(0o700)
    as_nobody(work)
    root.chmod(0o744)  # It can be listed, but its entries cannot be opened.
    as_nobody(lambda: _check_listable_folder(root))


def _check_listable_folder(root: Path) -> None:
    assert os.listdir(root) == ["c"]
    with pytest.raises(StorageError, match="cannot be read: Permission denied"):
        create_app(root, Settings())


def test_a_lock_file_of_another_user_is_named(root, as_nobody):
    for path in (root, *root.rglob("*")):
        os.chown(path, 65_534, 65_534)
    os.chown(root / "c" / "maintenance.lock", 0, 0)
    (root / "c" / "maintenance.lock").chmod(0o600)

    def work() -> None:
        with pytest.raises(StorageError, match=r"maintenance\.lock: cannot be opened for writing"):
            Collection.open(root / "c")
        search(root / "c", read_only=True)

    as_nobody(work)
