"""Lists the files of sources, to find out what changed. A source is a folder or a file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core import SourceError
from ..core.files import unreadable
from .folder import LINK, UNREADABLE, name_in, walk
from .lines import STDIN
from .named_datasets import is_named
from .read import beir_corpus, check_path, holds_records

DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of a source.

    source: absolute path of the source.
    name:   path of the file below the source; "" if the source is the file.
    path:   path of the file, as the caller would write it.
    has_records: True if the file has many documents with named fields.
    """

    source: str
    name: str
    path: Path
    has_records: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.source, self.name

    @property
    def id(self) -> str:
        """Id of its document. The ids of documents in an archive begin with it."""
        return self.name or self.path.name

    @property
    def base(self) -> Path:
        """Folder to which ids are relative."""
        return self.path.parents[self.name.count("/")] if self.name else self.path.parent


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a source, without opening them.

    source: absolute path of the source. path: the path that the caller named.
    found:  False if the source does not exist.
    files:  files to read, sorted by path.
    unread: (name, error) of files and folders that cannot be read now. A folder stands for all of
            its files.
    """

    source: str
    path: Path
    found: bool
    files: Sequence[SourceFile]
    unread: Sequence[tuple[str, SourceError]]

    def covers(self, name: str) -> bool:
        """Return True if a file that was listed before may still be there, but cannot be read."""
        return any(
            not parent or name == parent or name.startswith(f"{parent}/")
            for parent, _ in self.unread
        )


def list_source(path: Path, exclude: Sequence[str] = ()) -> Listing:
    """List the files of a file or folder. `walk` says which files of a folder are skipped.

    exclude: patterns of files and folders to skip; see `walk`.

    Raises SourceError for a source that cannot be listed, such as standard input.
    """
    if path == STDIN or is_named(path):
        message = "cannot be synced, because its files cannot be compared; use add"
        raise SourceError(message, path=path)
    source = os.path.abspath(path)
    if not os.path.lexists(path):
        return Listing(source, path, False, (), ())
    check_path(path)
    if not path.is_dir():
        return Listing(source, path, True, [SourceFile(source, "", path, holds_records(path))], ())
    if corpus := beir_corpus(path):
        return Listing(source, path, True, [SourceFile(source, corpus.name, corpus, True)], ())
    files, unread = [], []
    for found, reason in walk(path, exclude):
        name = "" if found == path else name_in(found, path)
        if reason is None:
            files.append(SourceFile(source, name, found))
        elif reason in (UNREADABLE, LINK):
            message = "cannot be read" if reason == UNREADABLE else f"is a {reason}"
            unread.append((name, SourceError(message, path=found, reason=reason)))
    return Listing(source, path, True, sorted(files, key=lambda file: file.name), unread)


def stamp(path: Path) -> list[int]:
    """Return numbers that change when a file changes: size, times of change, and inode."""
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def digest(path: Path) -> str:
    """Return a checksum of a file's content."""
    with path.open("rb") as file:
        made = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=DIGEST_BYTES))
    return made.hexdigest()


def picture(paths: Iterable[Path], exclude: Sequence[str] = ()) -> str:
    """Return a checksum of the names, sizes and times of all files, without reading them.

    It changes when a file is added, changed or removed.
    """
    made = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for path in paths:
        for line in _lines(list_source(path, exclude)):
            made.update(repr(line).encode("utf-8", "surrogateescape"))
    return made.hexdigest()


def _lines(listing: Listing) -> Iterator[object]:
    yield listing.source, listing.found, [name for name, _ in listing.unread]
    for file in listing.files:
        try:
            yield file.name, stamp(file.path)
        except OSError as error:
            yield file.name, str(unreadable(file.path, error))
