"""Reads documents from files and folders of all supported formats."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ..core import Document, SourceError
from ..core.files import check_regular
from .document import CheckedDocuments
from .errors import OnError, report
from .fields import DEFAULT_FIELDS, FieldNames
from .folder import TEXT_SUFFIXES, read_folder_documents, read_text_document, text_files
from .jsonl import read_jsonl_documents
from .lines import PIPE, STDIN, plain_suffix, read_lines
from .table import read_table_documents

TABLE_SUFFIXES = frozenset({".csv", ".tsv"})
RECORD_SUFFIXES = TABLE_SUFFIXES | {".json", ".jsonl", ".ndjson"}
"""Suffixes of files with many documents. Each file may be compressed (`.gz`)."""


def read_documents(
    paths: Iterable[Path | str] | Path | str,
    *,
    fields: FieldNames = DEFAULT_FIELDS,
    on_error: OnError | None = None,
) -> CheckedDocuments:
    """Return an iterator over the documents of files and folders, in the order of `paths`.

    paths:    files and folders. Files of records are JSON lines (BEIR), CSV and TSV, each also with
              `.gz`, and `.json` with one array or with lines. Plain text and Markdown files are one
              document each. A folder stands for its text and Markdown files. `-` reads JSON lines
              from standard input.
    fields:   names of the fields in files of records.
    on_error: function that receives the SourceError of an invalid record; reading then continues.
              None: the error is raised.

    A path that does not exist, has an unknown suffix or cannot be read always raises SourceError,
    if possible before any file is read.

        for document in read_documents("corpus.jsonl.gz"):
            print(document.id, document.title)
    """
    sources = [Path(path) for path in ([paths] if isinstance(paths, (str, Path)) else paths)]
    for path in sources:
        _check(path)
    if sources.count(STDIN) > 1:
        raise SourceError("standard input can be read only once; name it once", path=STDIN)
    return CheckedDocuments(_read(sources, fields, on_error))


def count_documents(paths: Iterable[Path | str]) -> int | None:
    """Return the approximate number of documents in files and folders, for a progress bar.

    Counts lines without parsing them. Returns None if counting would be expensive. This is so for
    tables, because a row may have several lines, and for JSON arrays and standard input.
    """
    count = 0
    for path in map(Path, paths):
        if path == STDIN or plain_suffix(path) == ".json":
            return None
        if path.is_dir():
            count += sum(1 for _ in text_files(path))
        elif not holds_records(path):
            count += 1
        elif plain_suffix(path) in TABLE_SUFFIXES:
            return None
        else:
            count += sum(1 for _, line in read_lines(path) if line.strip())
    return count


def holds_records(path: Path) -> bool:
    """Return True if a file has records with named fields (JSON, CSV or TSV), not plain text."""
    return path == STDIN or (not path.is_dir() and plain_suffix(path) in RECORD_SUFFIXES)


def _check(path: Path) -> None:
    if path == STDIN:
        return
    if not path.exists():
        scheme, colon, rest = str(path).partition(":/")
        if colon and scheme in ("http", "https", "ftp", "s3", "gs"):
            url = f"{scheme}://{rest.lstrip('/')}"
            raise SourceError(f"is a URL; download it first: curl -LO {url}", path=path)
        raise SourceError("no such file or folder; check the path", path=path)
    if not path.is_dir():
        check_regular(path, PIPE)
    if not path.is_dir() and not holds_records(path) and path.suffix.lower() not in TEXT_SUFFIXES:
        known = ", ".join(sorted(RECORD_SUFFIXES)) + " (each also with .gz), "
        known += ", ".join(sorted(TEXT_SUFFIXES)) + ", or a folder"
        raise SourceError(f"the type of the file is not supported; use {known}", path=path)


def _read(paths: list[Path], fields: FieldNames, on_error: OnError | None) -> Iterator[Document]:
    texts: dict[str, Path] = {}
    for path in paths:
        if path.is_dir():
            for document in read_folder_documents(path, on_error):
                if _is_new(document.id, path / document.id, texts, on_error):
                    yield document
        elif not holds_records(path):
            for document in read_text_document(path, on_error=on_error):
                if _is_new(document.id, path, texts, on_error):
                    yield document
        elif plain_suffix(path) in TABLE_SUFFIXES:
            yield from read_table_documents(path, fields, on_error)
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
