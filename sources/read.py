"""Reads documents from files and folders of all supported formats."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ..core import Document, SourceError
from .document import CheckedDocuments
from .errors import OnError, report
from .fields import DEFAULT_FIELDS, FieldNames
from .files import FileReader
from .folder import check_exclude
from .formats import Converter
from .formats.kinds import ARROW_SUFFIXES, TABLE_SUFFIXES
from .formats.limits import DEFAULT_LIMITS, Limits
from .lines import STDIN, plain_suffix, read_lines
from .listing import check_path, list_source
from .named_datasets import count_named, is_named, read_named_documents
from .records.arrow import count_rows, read_arrow_documents
from .records.jsonl import read_jsonl_documents
from .records.table import read_table_documents


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

    paths:    files and folders, `-` for JSON lines from standard input, and `irds:NAME` for a data
              set of ir_datasets. The types of files are listed below.
    fields:   names of the fields in files of records.
    on_error: function that receives the SourceError of a record or file that cannot be read;
              reading then continues. None: the error is raised.
    limits:   limits of size, memory and time for each file. Of these, only `memory` and `seconds`
              apply to Parquet and Arrow files, and none to other files of records.
    allow_download: True: download a data set that is not in the cache of ir_datasets. False: such a
              data set raises SourceError.
    exclude:  patterns of files and folders to skip in folders; see `walk`.

    A file of records contains many documents. Each record has named fields. These formats have
    records: JSON lines (BEIR), CSV and TSV, also compressed (`.gz`); `.json` with one array or with
    lines; Parquet and Arrow. Every other file is one document: text, Markdown, HTML, PDF, Office
    files, EPUB, notebook or source code. The documents of an archive are the files in it. The
    documents of a folder are its files except files of records. Of a folder in BEIR's layout, only
    the corpus is read.

    Even with `on_error`, raises SourceError in these cases:

    - a path does not exist or has an unknown suffix (checked before any file is read);
    - a folder has no files to read;
    - a file of JSON lines, CSV or TSV cannot be opened.

        for document in read_documents("corpus.jsonl.gz"):
            print(document.id, document.title)
    """
    check_exclude(exclude)
    given = [paths] if isinstance(paths, (str, Path)) else paths
    sources = [Path(path) for path in given]
    for path in sources:
        check_path(path)
    if sources.count(STDIN) > 1:
        raise SourceError("standard input can be read only once; name it once", path=STDIN)
    return CheckedDocuments(_read(sources, fields, on_error, limits, allow_download, exclude))


def count_documents(paths: Iterable[Path | str], exclude: Sequence[str] = ()) -> int | None:
    """Return the approximate number of documents in files and folders, for a progress bar.

    Counts the lines of JSON lines without parsing them. Returns None if counting would be
    expensive: for standard input, CSV and TSV tables, `.json` and Arrow files.
    """
    count = 0
    for path in map(Path, paths):
        if path == STDIN:
            return None
        if is_named(path):
            numbers = [count_named(path)]
        else:
            files = list_source(path, exclude).files
            numbers = [_count_records(one.path) if one.has_records else 1 for one in files]
        for number in numbers:
            if number is None:
                return None
            count += number
    return count


def _count_records(path: Path) -> int | None:
    if plain_suffix(path) in TABLE_SUFFIXES | {".json"}:
        return None
    if plain_suffix(path) in ARROW_SUFFIXES:
        return count_rows(path)
    return sum(1 for _, line in read_lines(path) if line.strip())


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
            elif path == STDIN:
                yield from read_records(path, fields, on_error, reader.converter)
            else:
                listing = list_source(path, exclude)
                listing.check_any(exclude)
                for file in listing.files:
                    if file.has_records:
                        yield from read_records(file.path, fields, on_error, reader.converter)
                        continue
                    for document in reader.read(file.path, file.id, on_error):
                        if _is_new(document.id, file.base / document.id, files, on_error):
                            yield document


def read_records(
    path: Path,
    fields: FieldNames = DEFAULT_FIELDS,
    on_error: OnError | None = None,
    converter: Converter | None = None,
) -> Iterator[Document]:
    """Yield the documents of a file of records: a table, JSON, Parquet or Arrow.

    fields:    names of the fields that contain the parts of a document.
    on_error:  function that receives the SourceError of an invalid record; reading then continues.
               None: the error is raised.
    converter: process that reads Parquet and Arrow, within its limits. None: a new one.

    Raises SourceError for a file that cannot be read, even with `on_error`.
    """
    if plain_suffix(path) in TABLE_SUFFIXES:
        yield from read_table_documents(path, fields, on_error)
    elif plain_suffix(path) in ARROW_SUFFIXES:
        yield from read_arrow_documents(path, fields, on_error, converter)
    else:
        yield from read_jsonl_documents(path, fields, on_error)


def _is_new(id_: str, path: Path, known: dict[str, Path], on_error: OnError | None) -> bool:
    """Return True if no file before `path` has the same document id.

    Otherwise, report an error, because the document would replace the document of the earlier
    file. The id of a file's document is the path of the file relative to the folder that the caller
    named.

    known: id -> file, for all files so far. The pair (`id_`, `path`) is added.
    """
    other = known.setdefault(id_, path)
    if other == path:
        return True
    message = f"{id_!r} is also the id of {other}; name a folder that contains both files"
    report(SourceError(message, path=path, field="id"), on_error)
    return False
