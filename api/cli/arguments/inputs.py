"""Arguments that name input files, and the documents read from these files."""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from ....core import Document, InvalidInputError, Qrels, Query, SourceError
from ....core.display import one_line
from ....sources import (
    STDIN,
    CheckedDocuments,
    FieldNames,
    Limits,
    Survey,
    count_documents,
    holds_records,
    read_documents,
    read_qrels,
    read_queries,
    survey,
)
from ....sources.errors import NoDocumentError, OnError
from ....sources.formats.reasons import LIMIT
from ....sources.named_datasets import is_named
from ...figures import counted
from ...serving.settings import option
from ..terminal import note
from .common import given
from .skipped_list import SkippedList
from .vectors import VectorFiles

SHOWN = 10
"""Maximum number of skipped records that are reported one by one."""
_WIDEST = 4_000


def add_inputs(parser: argparse.ArgumentParser, *, positional: bool = False) -> None:
    """Add the options that name documents and say how they are read.

    positional: also accept the paths without `--documents`; see `named_inputs`.
    """
    group = parser.add_argument_group(
        "documents",
        "JSON lines in BEIR's layout (_id or id, title, text, metadata; other\n"
        "fields become metadata), CSV or TSV with a header, .json with one array,\n"
        "each also as .gz; Parquet and Arrow. Each other file is one document:\n"
        "text, Markdown, HTML, PDF, .docx, .pptx, .xlsx, .odt, .ods, .odp, EPUB,\n"
        ".ipynb and source code. An archive (.zip, .tar, .gz) or a folder means the\n"
        "files in it, and a folder in BEIR's layout means its corpus. `-` reads JSON\n"
        "lines from standard input. irds:NAME is a data set of ir_datasets.",
    )
    if positional:
        group.add_argument(
            "paths", nargs="*", type=Path, metavar="PATH", help="the same as --documents PATH"
        )
    group.add_argument(
        "--documents",
        nargs="+",
        required=not positional,
        default=[],
        type=Path,
        metavar="PATH",
        help="files and folders to read, in this order",
    )
    group.add_argument(
        "--strict",
        action="store_true",
        help="stop at the first invalid record or unreadable file, or if a folder contains files "
        "other than documents and hidden files (default: skip and report)",
    )
    group.add_argument(
        "--exclude",
        type=_names,
        default=(),
        metavar="PATTERN,...",
        help="files and folders to skip in folders, by name or by path, e.g. node_modules,*.min.js",
    )
    group.add_argument(
        "--skipped",
        type=Path,
        metavar="FILE",
        help="write every file and record that is not indexed, with the reason, to this file as "
        "JSON lines",
    )
    group.add_argument(
        "--file-limits",
        type=_limits,
        default=Limits(),
        metavar="NAME=N,...",
        help="limits for reading one file, or one archive with its files; values may end with KB, "
        f"MB or GB (default: {Limits()})",
    )
    names = FieldNames()
    group.add_argument(
        "--id-field", metavar="NAME", help="field or column with the id (default: _id or id)"
    )
    group.add_argument(
        "--title-field",
        metavar="NAME",
        help=f"field or column with the title (default: {names.title})",
    )
    group.add_argument(
        "--text-field",
        metavar="NAME",
        help=f"field or column with the text (default: {names.text})",
    )
    group.add_argument(
        "--metadata-fields",
        metavar="NAME,...",
        help="fields or columns to store as metadata (default: all others)",
    )
    group.add_argument(
        "--numeric-fields",
        metavar="NAME,...",
        help="metadata fields whose text is read as a number",
    )


def named_inputs(arguments: argparse.Namespace) -> argparse.Namespace:
    """Return the arguments, with the paths given without `--documents` added to `documents`.

    Raises InvalidInputError if no path is given.
    """
    arguments.documents = [*arguments.paths, *arguments.documents]
    if not arguments.documents:
        raise InvalidInputError("is missing; name at least one file or folder", field="PATH")
    return arguments


def add_judged(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--queries",
        type=Path,
        required=True,
        metavar="FILE",
        help="BEIR's queries.jsonl or id<TAB>text",
    )
    parser.add_argument(
        "--qrels",
        type=Path,
        required=True,
        metavar="FILE",
        help="relevance judgements: BEIR's or TREC's qrels",
    )


def read_judged(arguments: argparse.Namespace) -> tuple[list[Query], Qrels]:
    """Return all queries and the relevance judgements, from --queries and --qrels.

    Raises InvalidInputError if no query has judgements.
    """
    qrels = read_qrels(arguments.qrels)
    queries = read_queries(arguments.queries)
    if not any(query.id in qrels for query in queries):
        message = (
            f"no query in {arguments.queries} has judgements in {arguments.qrels}; use the same "
            "query ids in both"
        )
        raise InvalidInputError(message, field="--queries")
    return queries, qrels


class Inputs:
    """The documents that the arguments name, and the number of skipped records."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.paths: list[Path] = arguments.documents
        self.fields = field_names(arguments)
        self._vectors = VectorFiles(getattr(arguments, "vectors", []))
        # A skipped record would shift the rows of all later documents.
        self.strict: bool = arguments.strict or bool(self._vectors)
        self._exclude: tuple[str, ...] = arguments.exclude
        self.skipped = 0
        self.reasons: Counter[str] = Counter()
        self._shown: list[SourceError] = []
        self._list: SkippedList | None = None
        if arguments.skipped:
            self._list = SkippedList(arguments.skipped, self.paths, self._exclude)
        self.survey = survey(self.paths, exclude=self._exclude)
        self._reading = {
            "fields": self.fields,
            "limits": arguments.file_limits,
            "allow_download": arguments.allow_download,
            "exclude": self._exclude,
        }
        # This opens the files, and raises an error if a file cannot be read.
        self._documents = self._read(on_error=None if self.strict else self._skip)

        if self.strict and self.survey.lost:
            message = f"{left_out(self.survey)}; remove these files, or omit --strict"
            raise InvalidInputError(message, field="--documents")
        if not arguments.quiet and any(path.is_dir() for path in self.paths):
            note(f"reading {_kinds(self.survey.read) or 'nothing'}")
            self._note_left_out()

    def json(self) -> dict[str, Any]:
        """Return the numbers of skipped records, read files and skipped files, for JSON reports."""
        return {
            "skipped": self.skipped,
            "reasons": dict(self.reasons.most_common()),
            "files": files_json(self.survey),
        }

    def _note_left_out(self) -> None:
        if self.survey.left_out:
            note(f"twindex: {left_out(self.survey)}")

    @cached_property
    def total(self) -> int | None:
        """Estimated number of documents, for a progress bar; None if unknown."""
        return count_documents(self.paths, self._exclude)

    def _read(self, on_error: OnError | None = None) -> CheckedDocuments:
        return read_documents(self.paths, on_error=on_error, **self._reading)

    def documents(self) -> CheckedDocuments:
        """Return an iterator over the documents. This method may be called only once.

        Raises InvalidInputError immediately, not at the first item, if there is no document, or if
        the number of vectors is known to be wrong.
        """
        first = next(self._documents, None)
        if first is None:
            self.report()
            if self.skipped:
                raise self.no_document()
            named = ", ".join(map(str, self.paths[:3]))
            raise InvalidInputError(f"no valid document in {named}", field="--documents")
        documents = CheckedDocuments(itertools.chain([first], self._documents))
        if not self._vectors:
            return documents
        if STDIN not in self.paths:
            self._vectors.check_counts(self.total, self._read)
        return self._vectors.attach(documents)

    def no_document(self) -> NoDocumentError:
        """Return the error that all files and records were skipped."""
        return NoDocumentError(self.paths, self.reasons, self._shown)

    def report(self) -> None:
        """Print on standard error the files that were not read and the first skipped records."""
        self._note_left_out()
        print_problems(self._shown, self.reasons)

    @property
    def refused(self) -> Callable[[Document, InvalidInputError], None] | None:
        """Function that `build` calls for a document that cannot be stored; None with --strict."""
        return None if self.strict else self._refuse

    def _refuse(self, document: Document, error: InvalidInputError) -> None:
        # If the vectors of one document are wrong, those of the other documents are wrong too.
        if error.field != "text":
            raise error
        place = _place(document.id, self.paths)
        self._skip(SourceError(error.message, path=place, field=error.field, reason=LIMIT))

    def _skip(self, error: SourceError) -> None:
        self.skipped += 1
        self.reasons[error.reason] += 1
        if self._list is not None:
            self._list.add(error)
        if len(self._shown) < SHOWN:
            self._shown.append(error)


def _place(id_: str, paths: Sequence[Path]) -> Path:
    """Return the path of a document, or its id if several files of records may contain it."""
    first = id_.partition("/")[0]
    records = [path for path in paths if holds_records(path) or is_named(path)]
    for path in paths:
        if path in records:
            continue
        folder = path if path.is_dir() else path.parent
        if os.path.lexists(path / first) if path.is_dir() else path.name == first:
            return folder / id_
    return records[0] if len(records) == 1 else Path(id_)


def print_problems(problems: Sequence[SourceError], reasons: Mapping[str, int]) -> None:
    """Print the first problems on standard error, and how many there are in all.

    reasons: reason -> number of problems.
    """
    shown = problems[:SHOWN]
    for error in shown:
        print(f"twindex: skipped: {one_line(str(error), _WIDEST)}", file=sys.stderr)
    if (count := sum(reasons.values())) > len(shown):
        counts = ", ".join(f"{n} {why}" for why, n in Counter(reasons).most_common())
        print(f"twindex: skipped: ... {count} records in total ({counts})", file=sys.stderr)


def left_out(found: Survey) -> str:
    """Return one line that counts the files that were found in folders and are not read."""
    reasons = [
        f"{sum(kinds.values())} {reason} ({_kinds(kinds)})"
        for reason, kinds in found.left_out.items()
    ]
    named = f", such as {one_line(str(found.examples[0]), _WIDEST)}" if found.examples else ""
    return f"not read: {'; '.join(reasons)}{named}"


def files_json(found: Survey) -> dict[str, Any]:
    """Return the numbers of files that are read and skipped, for JSON reports."""
    return {"read": found.read, "left_out": found.left_out}


def _limits(text: str) -> Limits:
    try:
        return Limits.parse(text)
    except InvalidInputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def field_names(arguments: argparse.Namespace) -> FieldNames:
    """Return the names of the fields of documents, from options such as `--text-field`.

    Raises InvalidInputError if such an option is given and no file has fields.
    """
    names = ("id_field", "title_field", "text_field", "metadata_fields", "numeric_fields")
    vectors = getattr(arguments, "vector_fields", None)
    chosen = _names(arguments.metadata_fields)
    columns = VectorFiles(getattr(arguments, "vectors", [])).columns_in(arguments.documents)
    named = [option(name) for name in given(arguments, names)]
    named += [] if vectors is None else ["--vector-fields"]
    if named and not any(holds_records(path) for path in arguments.documents):
        raise InvalidInputError("requires JSON lines or a table in --documents", field=named[0])
    defaults = FieldNames()
    return FieldNames(
        id=arguments.id_field,
        title=arguments.title_field or defaults.title,
        text=arguments.text_field or defaults.text,
        metadata=chosen or defaults.metadata,
        numeric=_names(arguments.numeric_fields),
        vectors=vectors or (),
        omitted=tuple(name for name in columns if name not in chosen),
    )


def _kinds(kinds: Mapping[str, int]) -> str:
    names = {"none": "no suffix"}
    shown = [
        counted(count, kind) if kind == "folder" else f"{names.get(kind, kind)} {count}"
        for kind, count in list(kinds.items())[:8]
    ]
    return ", ".join([*shown, *(["..."] if len(kinds) > 8 else [])])


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip()) if text else ()
