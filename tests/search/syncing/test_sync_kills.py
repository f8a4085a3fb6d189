"""A sync that is killed at any commit is completed by the next one."""

from __future__ import annotations

import json
import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from twindex.index.store import manifest
from twindex.index.store.database.database import Database
from twindex.search import Collection
from twindex.search.writing import writer

from .folders import WITH_VECTORS, expected, note, syncer, texts, write_zip

FOREIGN = {"rest 1": "from elsewhere 1", "rest 2": "from elsewhere 2"}


def edit(root: Path, random_: random.Random) -> None:
    """Change about a third of the files, and the file of records."""
    folder = root / "files"
    for number in range(30):
        path = folder / f"{number % 4}" / f"{number}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        step = random_.random()
        if step < 0.2 or not path.exists():
            path.write_text(f"# Note {number}\n\ntext {random_.randrange(10**6)}")
        elif step < 0.3:
            path.unlink()
        elif step < 0.35:
            path.rename(path.with_name(f"renamed {number}.md"))
    write_zip(
        folder / "old.zip",
        {f"m{n}.txt": f"member {random_.randrange(3)}" for n in range(random_.randrange(1, 6))},
    )
    ids = random_.sample(range(40), 25)
    lines = [{"id": f"r{id_}", "text": f"record {random_.randrange(3)}"} for id_ in ids]
    (root / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def sync_and_die(root: Path, commit: int, *, before: bool) -> bool:
    """Sync in another process, which is killed at a commit. Return True if it was killed."""
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        status = 1
        try:
            writer.BATCH_DOCUMENTS = writer.FIRST_DOCUMENTS = 4
            manifest._CHUNK = 3
            _die_at(commit, before=before)
            with Collection.open(root / "c") as collection:
                syncer(collection, root / "files", root / "records.jsonl").run()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the sync failed by itself"
    return os.WIFSIGNALED(status)


def _die_at(commit: int, *, before: bool) -> None:
    original = Database.write
    left = commit

    @contextmanager
    def write(self: Database) -> Iterator[object]:
        nonlocal left
        left -= 1
        with original(self) as connection:
            yield connection
            if left == 0 and before:
                os.kill(os.getpid(), signal.SIGKILL)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    Database.write = write


@pytest.mark.parametrize("rounds", [4, pytest.param(50, marks=pytest.mark.slow)])
def test_the_next_sync_completes_a_killed_one(tmp_path, rounds):
    random_ = random.Random(3)
    sources = tmp_path / "files", tmp_path / "records.jsonl"
    with Collection.create(tmp_path / "c", WITH_VECTORS) as collection:
        collection.add([note(name, text) for name, text in FOREIGN.items()])
    kills = 0
    for round_ in range(rounds):
        edit(tmp_path, random_)
        while sync_and_die(tmp_path, random_.randrange(1, 16), before=random_.random() < 0.5):
            kills += 1
            if random_.random() < 0.3:
                edit(tmp_path, random_)
            if random_.random() < 0.5:
                break
        with Collection.open(tmp_path / "c") as collection:
            syncing = syncer(collection, *sources)
            syncing.run()
            assert texts(collection) == {**expected(*sources), **FOREIGN}, round_
            again = syncing.run()
            assert (again.documents, again.deleted, again.reread) == (0, 0, 0)
            assert collection.verify() == []
    assert kills >= rounds, "few syncs were killed"
    print(f"{kills} kills")
