"""Decides which files of a source are read. A source is a folder or a file.

Builds and syncs list their sources here, so that both read and skip the same files.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core import SourceError
from ..core.files import check_regular, unreadable
from .folder import EXCLUDED, HIDDEN, LINK, UNREADABLE, name_in, walk
from .formats.kinds import RECORD_SUFFIXES, format_of, suffixes
from .lines import PIPE, STDIN, plain_suffix
from .named_datasets import PREFIX, is_named

BESIDE = "beside a BEIR corpus"
DIGEST_BYTES = 16
_BEIR = frozenset({"queries.jsonl", "queries.jsonl.gz", "qrels"})


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to read. A source is the folder or file that the caller named.

    source: absolute path of the source.
    name:   path of the file relative to the source; "" if the source is the file.
    path:   path of the file, relative if the caller named a relative path.
    has_records: True if the file contains many documents, as records with named fields.
    """

    source: str
    name: str
    path: Path
    has_records: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Return (source, name), which identifies the file."""
        return self.source, self.name

    @property
    def id(self) -> str:
        """Return the id of the file's document; for an archive, the start of its documents' ids."""
        return self.name or self.path.name

    @property
    def base(self) -> Path:
        """Return the folder to which ids are relative."""
        return self.path.parents[self.name.count("/")] if self.name else self.path.parent


@dataclass(frozen=True, slots=True)
class Listing:
    """The result of listing a source: the folder or file that the caller named.

    source:  absolute path of the source.
    path:    path that the caller named.
    found:   False if the source does not exist.
    files:   files to read, sorted by path.
    skipped: (path, reason) of each file that is not read. For a skipped folder, the folder itself
             is listed, without its files.
    unread:  (name, error) of skipped files and folders that cannot be read: those without
             permission and broken links. Each name is relative to the source.
    """

    source: str
    path: Path
    found: bool
    files: Sequence[SourceFile] = ()
    skipped: Sequence[tuple[Path, str]] = ()
    unread: Sequence[tuple[str, SourceError]] = ()

    def covers(self, name: str) -> bool:
        """Return True if a file may exist although it is not in `files`.

        This is the case if the file, or a folder that contains it, cannot be read.

        name: path of the file relative to the source.
        """
        return any(
            not parent or name == parent or name.startswith(f"{parent}/")
            for parent, _ in self.unread
        )

    def check_any(self, exclude: Sequence[str] = ()) -> None:
        """Raise SourceError if there is no file to read.

        exclude: the patterns that the caller passed to `list_source`, for the error message.
        """
        if self.files:
            return
        reasons = {reason for _, reason in self.skipped}
        if reasons - {HIDDEN} == {EXCLUDED}:
            message = f"everything in the folder is excluded by {', '.join(exclude)}; exclude less"
            raise SourceError(message, path=self.path, field="exclude")
        message = f"the folder contains no file of a known kind ({', '.join(suffixes())}); "
        message += "to read files with records, such as .jsonl or .csv, name each file"
        raise SourceError(message, path=self.path)


def list_source(path: Path, exclude: Sequence[str] = ()) -> Listing:
    """List the files of a file or folder, without opening them.

    A folder has BEIR's layout if it contains `corpus.jsonl` (or `.gz`), and either no other file
    or also `queries.jsonl` or `qrels`. Of such a folder, only the corpus is read. Its queries and
    judgements are not listed; other files are skipped with the reason `BESIDE`. In other folders,
    `walk` decides which files are skipped.

    exclude: patterns of files and folders to skip; see `walk`.

    Raises SourceError for a source that cannot be listed, such as standard input.
    """
    if path == STDIN or is_named(path):
        message = "cannot be synced, because it has no files to compare; use add"
        raise SourceError(message, path=path)
    source = os.path.abspath(path)
    if not os.path.lexists(path):
        return Listing(source, path, False)
    check_path(path)
    if not path.is_dir():
        return Listing(source, path, True, [SourceFile(source, "", path, _has_records(path))])
    if corpus := _corpus(path):
        file = SourceFile(source, corpus.name, corpus, True)
        return Listing(source, path, True, [file], list(_beside(corpus, exclude)))
    files, skipped, unread = [], [], []
    for found, reason in walk(path, exclude):
        name = "" if found == path else name_in(found, path)
        if reason is None:
            files.append(SourceFile(source, name, found))
            continue
        skipped.append((found, reason))
        if reason in (UNREADABLE, LINK):
            message = "cannot be read" if reason == UNREADABLE else f"is a {reason}"
            unread.append((name, SourceError(message, path=found, reason=reason)))
    files.sort(key=lambda file: file.name)
    return Listing(source, path, True, files, skipped, unread)


def _corpus(path: Path) -> Path | None:
    """Return the corpus of a folder in BEIR's layout; None for other folders and for files.

    Such a folder has a `corpus.jsonl` (or `.gz`) alone, or with `queries.jsonl` or `qrels`.
    """
    for suffix in ("", ".gz"):
        corpus = path / f"corpus.jsonl{suffix}"
        if os.path.isfile(corpus):  # Path.is_file raises in a folder that cannot be read.
            beside = {name for name in os.listdir(path) if not name.startswith(".")}
            if beside == {corpus.name} or not beside.isdisjoint(_BEIR):
                return corpus
    return None


def _beside(corpus: Path, exclude: Sequence[str]) -> Iterator[tuple[Path, str]]:
    """Yield (path, reason) of the files beside a corpus that are no part of BEIR's layout."""
    folder = corpus.parent
    parts = [corpus, *(folder / name for name in _BEIR)]
    for found, reason in walk(folder, exclude):
        if not any(found.is_relative_to(part) for part in parts):
            yield found, reason if reason in (HIDDEN, EXCLUDED) else BESIDE


def holds_records(path: Path) -> bool:
    """Return True if documents at a path are records with named fields, as in JSON and tables.

    These paths are standard input, files such as `.jsonl` and `.csv`, and folders in BEIR's layout.
    """
    if path == STDIN or _corpus(path) is not None:
        return True
    return not path.is_dir() and _has_records(path)


def _has_records(path: Path) -> bool:
    return plain_suffix(path) in RECORD_SUFFIXES


def check_path(path: Path) -> None:
    """Raise SourceError if a path does not exist, or is a file of an unsupported type."""
    if path == STDIN or is_named(path):
        return
    if not path.exists():
        scheme, colon, rest = str(path).partition(":/")
        if colon and scheme in ("http", "https", "ftp", "s3", "gs"):
            url = f"{scheme}://{rest.lstrip('/')}"
            raise SourceError(f"is a URL; download it first: curl -LO {url}", path=path)
        raise SourceError("no such file or folder; check the path", path=path)
    if path.is_dir():
        return
    check_regular(path, PIPE)
    if not _has_records(path) and format_of(path.name) is None:
        known = ", ".join(sorted(RECORD_SUFFIXES)) + ", "
        known += f"{', '.join(suffixes())}, a folder, or {PREFIX}NAME"
        raise SourceError(f"the type of the file is not supported; use {known}", path=path)


def stamp(path: Path) -> list[int]:
    """Return numbers that change when a file changes.

    They are the size in bytes, the times of the last changes of content and of status in
    nanoseconds, and the inode.
    """
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def digest(path: Path) -> str:
    """Return the BLAKE2b checksum of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        made = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=DIGEST_BYTES))
    return made.hexdigest()


def picture(paths: Iterable[Path], exclude: Sequence[str] = ()) -> str:
    """Return a checksum of the names, sizes and times of all files, without reading the files.

    The checksum changes when a file is added, changed or removed.
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
