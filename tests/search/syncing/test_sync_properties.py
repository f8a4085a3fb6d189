"""After any edits, a sync gives the state of the folder, and keeps what came by another way."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from twindex.search import Collection

from .folders import LEXICAL, changes, expected, note, syncer, texts, write_zip

NAMES = ["a.md", "b.txt", "sub/a.md", "sub/deep/c.md", "x.zip", "sub.md"]
IDS = [*NAMES[:4], "other", "x.zip/m1.md"]
WORDS = st.sampled_from(["kiwi", "swift", "heron", "", "# Title\n\ntext"])

edits = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(NAMES), WORDS),
    st.tuples(st.just("remove"), st.sampled_from(NAMES)),
    st.tuples(st.just("rename"), st.sampled_from(NAMES[:4]), st.sampled_from(NAMES[:4])),
    st.tuples(st.just("touch"), st.sampled_from(NAMES)),
    st.tuples(st.just("remove folder")),
    st.tuples(st.just("add"), st.sampled_from(IDS)),
    st.tuples(st.just("delete"), st.sampled_from(IDS)),
)


@contextmanager
def place() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="twindex-test-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


class Model:
    """What the collection must hold: id -> (text, True if a sync stored it)."""

    def __init__(self) -> None:
        self.stored: dict[str, tuple[str, bool]] = {}

    def sync(self, found: dict[str, str]) -> None:
        gone = [name for name, (_, own) in self.stored.items() if own and name not in found]
        for name in gone:
            del self.stored[name]
        self.stored |= {name: (text, True) for name, text in found.items()}


def apply(edit: tuple[str, ...], folder: Path, collection: Collection, model: Model) -> None:
    kind, *rest = edit
    path = folder / rest[0] if rest else folder / "sub"
    if kind == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".zip":
            write_zip(path, {"m1.md": rest[1], "in/m2.txt": "swift"})
        else:
            path.write_text(rest[1])
    elif kind == "remove":
        path.unlink(missing_ok=True)
    elif kind == "rename" and path.exists():
        (folder / rest[1]).parent.mkdir(parents=True, exist_ok=True)
        path.rename(folder / rest[1])
    elif kind == "touch" and path.exists():
        os.utime(path)
    elif kind == "remove folder":
        shutil.rmtree(path, ignore_errors=True)
    elif kind == "add":
        text = f"from elsewhere {len(model.stored)} {rest[0]}"
        collection.add([note(rest[0], text)])
        model.stored[rest[0]] = (text, False)
    elif kind == "delete":
        collection.delete(rest)
        model.stored.pop(rest[0], None)


@given(st.lists(st.lists(edits, max_size=6), min_size=1, max_size=4))
def test_a_sync_gives_the_state_of_the_folder(rounds):
    with place() as root, Collection.create(root / "c", LEXICAL) as collection:
        folder = root / "files"
        folder.mkdir()
        model = Model()
        syncing = syncer(collection, folder)
        for round_ in rounds:
            for edit in round_:
                apply(edit, folder, collection, model)
            before = texts(collection)
            predicted = syncing.dry_run()
            assert texts(collection) == before
            report = syncing.run()
            model.sync(expected(folder))
            assert texts(collection) == {name: text for name, (text, _) in model.stored.items()}
            # A dry run counts a document that another write has replaced as deleted.
            assert changes(report)[:6] == changes(predicted)[:6]
            again = syncing.run()
            assert (again.documents, again.deleted, again.passages) == (0, 0, 0)
            assert (again.new, again.changed, again.removed, again.reread) == ([], [], [], 0)
        assert collection.verify() == []


records = st.lists(st.sampled_from("abcd"), max_size=4, unique=True)


@given(st.lists(st.tuples(records, records, records), min_size=1, max_size=4))
def test_each_id_has_one_of_the_texts_of_its_files(rounds):
    """Ids move between files of records. The file that has an id keeps it."""
    with place() as root, Collection.create(root / "c", LEXICAL) as collection:
        paths = [root / f"{name}.jsonl" for name in "xyz"]
        owners: dict[str, str] = {}
        for number, round_ in enumerate(rounds):
            claims = dict(zip("xyz", round_, strict=True))
            for path, ids in zip(paths, round_, strict=True):
                lines = [{"id": id_, "text": f"{path.stem} {number}"} for id_ in ids]
                path.write_text("".join(json.dumps(line) + "\n" for line in lines))
            report = syncer(collection, *paths).run()
            owners = {id_: file for id_, file in owners.items() if id_ in claims[file]}
            for file, ids in claims.items():
                for id_ in ids:
                    owners.setdefault(id_, file)
            assert texts(collection) == {id_: f"{file} {number}" for id_, file in owners.items()}
            shared = sum(len(ids) for ids in round_) - len(owners)
            assert report.reasons.get("same id", 0) == shared
        assert syncer(collection, *paths).run().documents == 0
