"""Reads documents from files and folders of all supported formats."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ..core import Document, SourceError
from ..core.files import check_regular
from .document import CheckedDocuments
from .errors import OnError, report
from .fields import DEFAULT_FIELDS, FieldNames
from .files import FileReader
from .folder import (
    EXCLUDED,
    HIDDEN,
    check_exclude,
    known_files,
    read_folder_documents,
    walk,
)
from .formats.kinds import ARROW_SUFFIXES, RECORD_SUFFIXES, TABLE_SUFFIXES, format_of, suffixes
from .formats.limits import DEFAULT_LIMITS, Limits
from .lines import PIPE, STDIN, plain_suffix, read_lines
from .named_datasets import PREFIX, count_named, is_named, read_named_documents
from .records.arrow import count_rows, read_arrow_documents
from .records.jsonl import read_jsonl_documents
from .records.table import read_table_documents

_BEIR = frozenset({"queries.jsonl", "queries.jsonl.gz", "qrels"})
BESIDE = "beside a BEIR corpus"


def read_documents(
    paths: Iterable[Path | str] | Path | str,
    *,
    fields: FieldNames = DEFAULT_FIELDS,
    on_error: OnError | None = None,
    limits: Limits = DEFAULT_LIMITS,
    allow_download: bool = False,
    exclude: Sequence[str] = (),
) -> CheckedDocuments:
    """Return an iterator over the documents of files and folders, in the order of `paths`.

    paths:    files and folders. Files of records are JSON lines (BEIR), CSV and TSV, each also with
              `.gz`, `.json` with one array or with lines, Parquet and Arrow. Each other file is
              one document: text, Markdown, HTML, PDF, Office files, EPUB and source code. An
              archive stands for its files. A folder stands for its files without records; a
              folder in BEIR's layout for its corpus. `-` reads JSON lines from standard input.
              `irds:NAME` is a data set of ir_datasets.
    fields:   names of the fields in files of records.
    on_error: function that receives the SourceError of an invalid record; reading then continues.
              None: the error is raised.
    limits:   what one file that is not a file of records may cost.
    allow_download: download a data set that is not in the cache of ir_datasets.
    exclude:  patterns of files and folders to skip in folders; see `walk`.

    A path that does not exist, has an unknown suffix or cannot be read always raises SourceError,
    if possible before any file is read.

        for document in read_documents("corpus.jsonl.gz"):
            print(document.id, document.title)
    """
    check_exclude(exclude)
    given = [paths] if isinstance(paths, (str, Path)) else paths
    sources = [beir_corpus(Path(path)) or Path(path) for path in given]
    for path in sources:
        check_path(path)
    if sources.count(STDIN) > 1:
        raise SourceError("standard input can be read only once; name it once", path=STDIN)
    return CheckedDocuments(_read(sources, fields, on_error, limits, allow_download, exclude))


def count_documents(paths: Iterable[Path | str], exclude: Sequence[str] = ()) -> int | None:
    """Return the approximate number of documents in files and folders, for a progress bar.

    Counts lines without parsing them. Returns None if counting would be expensive. This is so for
    tables, because a row may have several lines, and for JSON arrays and standard input.
    """
    count = 0
    for path in (beir_corpus(Path(path)) or Path(path) for path in paths):
        if path == STDIN or plain_suffix(path) == ".json":
            return None
        if is_named(path):
            if (number := count_named(path)) is None:
                return None
            count += number
        elif path.is_dir():
            count += sum(1 for _ in known_files(path, exclude))
        elif not holds_records(path):
            count += 1
        elif plain_suffix(path) in TABLE_SUFFIXES:
            return None
        elif plain_suffix(path) in ARROW_SUFFIXES:
            if (number := count_rows(path)) is None:
                return None
            count += number
        else:
            count += sum(1 for _, line in read_lines(path) if line.strip())
    return count


def holds_records(path: Path) -> bool:
    """Return True if a file has records with named fields (JSON, CSV or TSV), not plain text."""
    if path == STDIN or beir_corpus(path) is not None:
        return True
    return not path.is_dir() and plain_suffix(path) in RECORD_SUFFIXES


def beir_corpus(path: Path) -> Path | None:
    """Return the corpus of a folder in BEIR's layout; None for other folders and for files.

    Such a folder has a `corpus.jsonl` (or `.gz`), and `queries.jsonl`, `qrels` or nothing else.
    """
    for suffix in ("", ".gz"):
        corpus = path / f"corpus.jsonl{suffix}"
        if os.path.isfile(corpus):  # Path.is_file raises in a folder that cannot be read.
            beside = {name for name in os.listdir(path) if not name.startswith(".")}
            if beside == {corpus.name} or not beside.isdisjoint(_BEIR):
                return corpus
    return None


def walk_source(path: Path, exclude: Sequence[str] = ()) -> Iterator[tuple[Path, str | None]]:
    """Yield (path, reason) for a file, or for the files of a folder, as `walk` does.

    In a folder in BEIR's layout, only the corpus is read. Its queries and judgements are not
    yielded; other files are skipped with the reason `BESIDE`.
    """
    if not path.is_dir():
        yield path, None
    elif (corpus := beir_corpus(path)) is None:
        yield from walk(path, exclude)
    else:
        yield corpus, None
        parts = [corpus, *(path / name for name in _BEIR)]
        for found, reason in walk(path, exclude):
            if not any(found.is_relative_to(part) for part in parts):
                yield found, reason if reason in (HIDDEN, EXCLUDED) else BESIDE


def check_path(path: Path) -> None:
    """Raise SourceError unless documents can be read from a file or folder."""
    if path == STDIN or is_named(path):
        return
    if not path.exists():
        scheme, colon, rest = str(path).partition(":/")
        if colon and scheme in ("http", "https", "ftp", "s3", "gs"):
            url = f"{scheme}://{rest.lstrip('/')}"
            raise SourceError(f"is a URL; download it first: curl -LO {url}", path=path)
        raise SourceError("no such file or folder; check the path", path=path)
    if not path.is_dir():
        check_regular(path, PIPE)
    if not path.is_dir() and not holds_records(path) and format_of(path.name) is None:
        known = ", ".join(sorted(RECORD_SUFFIXES)) + ", "
        known += f"{', '.join(suffixes())}, a folder, or {PREFIX}NAME"
        raise SourceError(f"the type of the file is not supported; use {known}", path=path)


def _read(
    paths: list[Path],
    fields: FieldNames,
    on_error: OnError | None,
    limits: Limits,
    allow_download: bool,
    exclude: Sequence[str],
) -> Iterator[Document]:
    files: dict[str, Path] = {}
    with FileReader(limits) as reader:
        for path in paths:
            if is_named(path):
                yield from read_named_documents(
                    path, allow_download=allow_download, on_error=on_error
                )
            elif path.is_dir():
                for document in read_folder_documents(path, on_error, reader, exclude):
                    if _is_new(document.id, path / document.id, files, on_error):
                        yield document
            elif holds_records(path):
                yield from read_records(path, fields, on_error)
            else:
                for document in reader.read(path, on_error=on_error):
                    if _is_new(document.id, path.parent / document.id, files, on_error):
                        yield document


def read_records(
    path: Path, fields: FieldNames = DEFAULT_FIELDS, on_error: OnError | None = None
) -> Iterator[Document]:
    """Yield the documents of a file of records: a table, JSON, Parquet or Arrow.

    Invalid records are passed to `on_error`. A file that cannot be read raises SourceError.
    """
    if plain_suffix(path) in TABLE_SUFFIXES:
        yield from read_table_documents(path, fields, on_error)
    elif plain_suffix(path) in ARROW_SUFFIXES:
        yield from read_arrow_documents(path, fields, on_error)
    else:
        yield from read_jsonl_documents(path, fields, on_error)


def _is_new(id_: str, path: Path, known: dict[str, Path], on_error: OnError | None) -> bool:
    """Return True if no text file that was read before has the same document id as the file `path`.

    Otherwise, report an error, because the document would replace that of the other file. known: id
    -> file, for all files so far. The id of a text file is its path relative to the folder that the
    caller named.
    """
    other = known.setdefault(id_, path)
    if other == path:
        return True
    message = f"{id_!r} is also the id of {other}; name a folder that contains both files"
    report(SourceError(message, path=path, field="id"), on_error)
    return False
