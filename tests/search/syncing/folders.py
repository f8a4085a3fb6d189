"""Helpers for tests of sync: configurations, folders of files and what a sync must give."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from twindex.core import Document, SourceError
from twindex.encoders import DenseEncoderConfig
from twindex.index import CollectionConfig, DenseLeg, LexicalLeg
from twindex.search import Collection, Syncer, SyncOptions, SyncReport
from twindex.sources import read_documents

LEXICAL = CollectionConfig(legs={"lexical": LexicalLeg()})
WITH_VECTORS = CollectionConfig(
    legs={
        "dense": DenseLeg(encoder=DenseEncoderConfig(model="fake")),
        "lexical": LexicalLeg(),
    }
)


NOTES = {"a.md": "# Kiwi\n\ncannot fly", "b.txt": "swift", "sub/c.md": "heron", "sub/d.md": "owl"}


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files: path below the folder -> text."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def write_zip(path: Path, members: Mapping[str, str]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)


def write_lines(path: Path, lines: Iterable[Mapping[str, str]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def records(path: Path, ids: Iterable[str], text: str = "record") -> Path:
    return write_lines(path, [{"id": id_, "text": text} for id_ in ids])


def syncer(collection: Collection, *sources: Path, max_removed: float = 1.0, **options) -> Syncer:
    return Syncer(collection, sources, SyncOptions(max_removed=max_removed, **options))


def texts(collection: Collection) -> dict[str, str]:
    return {document.id: document.text for document in collection.scan()}


def expected(*sources: Path) -> dict[str, str]:
    """Id -> text of what a build from nothing would store."""
    found: dict[str, str] = {}
    for source in sources:
        problems: list[SourceError] = []
        try:
            found |= {one.id: one.text for one in read_documents(source, on_error=problems.append)}
        except SourceError as error:
            if "contains no file" not in str(error):
                raise
    return found


def changes(report: SyncReport) -> tuple[int, ...]:
    """The numbers of a report that a dry run must predict."""
    files = (len(report.new), len(report.changed), len(report.removed), report.unchanged)
    return (*files, report.documents, report.replaced, report.deleted, report.kept)


def note(name: str, text: str) -> Document:
    return Document(name, text)
