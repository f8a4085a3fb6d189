"""Arguments that name files of vectors, and the vectors in these files."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import orjson

from ....core import InvalidInputError, Query
from ....core.errors import shown
from ....core.near import did_you_mean
from ....sources import CheckedDocuments, check_vector, read_vectors, with_vectors
from ....sources.attached import check_counts, rows_of
from ....sources.vector_files import column_of, count_vectors, split_column
from ....sources.vectors import LARGEST_OF_QUERY, Checked


def add_vectors(parser: argparse.ArgumentParser) -> None:
    """Add the options that name vectors of the documents."""
    group = parser.add_argument_group("vectors that you bring")
    group.add_argument(
        "--vectors",
        action="append",
        default=[],
        type=parse_vectors,
        metavar="LEG=FILE",
        help="vectors of the documents for a leg, row n for document n: .npy, .jsonl, or .parquet "
        "with a column of lists (FILE.parquet:COLUMN); may be repeated. Implies --strict",
    )
    group.add_argument(
        "--vector-fields",
        type=parse_vector_fields,
        metavar="LEG=NAME,...",
        help="for each leg, the field or column of the documents that contains their vectors",
    )


def parse_vectors(text: str) -> tuple[str, str]:
    """Parse `dense=embeddings.npy` into ("dense", "embeddings.npy")."""
    leg, _, file = text.partition("=")
    if not leg or not file:
        raise argparse.ArgumentTypeError(
            f"must have the form LEG=FILE, for example dense=embeddings.npy; got {text!r}"
        )
    return leg, file


def parse_vector_fields(text: str) -> tuple[tuple[str, str], ...]:
    """Parse `dense=embedding,sparse=weights` into (("dense", "embedding"), ...)."""
    found = []
    for item in text.split(","):
        leg, _, field = item.strip().partition("=")
        if not leg or not field:
            raise argparse.ArgumentTypeError(
                f"must have the form LEG=NAME, for example dense=embedding; got {item.strip()!r}"
            )
        found.append((leg, field))
    return tuple(found)


def add_query_vectors(parser: argparse.ArgumentParser, rows: str, *, inline: bool = False) -> None:
    """Add `--vectors` for vectors of queries.

    rows:   which rows the file contains, for the help.
    inline: True if the option also accepts a vector as JSON.
    """
    text = "vectors of the queries for a leg, which then encodes no text"
    or_json = ", or the vector as JSON" if inline else ""
    parser.add_argument(
        "--vectors",
        action="append",
        default=[],
        type=parse_vectors,
        metavar="LEG=FILE",
        help=f"{text}: {rows} of .npy, .jsonl or .parquet (FILE.parquet:COLUMN){or_json}; "
        "may be repeated",
    )


def query_vectors(given: Sequence[tuple[str, str]]) -> dict[str, Checked]:
    """Return leg -> vector of one query, from files with one row or from JSON.

    Raises InvalidInputError for a wrong value, and for a file that has no row or several rows.
    """
    found: dict[str, Checked] = {}
    for leg, text in VectorFiles(given).files.items():
        if text.lstrip()[:1] in ("[", "{"):
            try:
                found[leg] = check_vector(orjson.loads(text), f"vectors.{leg}", LARGEST_OF_QUERY)
            except orjson.JSONDecodeError as error:
                message = f"is not valid JSON ({error.msg}), got {shown(text)}"
                raise InvalidInputError(message, field="--vectors") from None
            continue
        rows = list(islice(read_vectors(text), 2))
        if len(rows) != 1:
            count = f"{count_vectors(text):,}" if rows else "none"
            message = f"{text}: must have one row, the vector of the query, got {count}"
            raise InvalidInputError(message, field="--vectors")
        found[leg] = rows[0]
    return found


def with_query_vectors(queries: Sequence[Query], given: Sequence[tuple[str, str]]) -> list[Query]:
    """Return the queries with the vectors of files, row n for query n.

    Raises InvalidInputError if the numbers of rows and queries differ, or if a query already has a
    vector for the leg.
    """
    found = list(queries)
    for leg, file in VectorFiles(given).files.items():
        rows = list(read_vectors(file))
        if len(rows) != len(found):
            message = f"{file}: has {len(rows):,} rows, but --queries has {len(found):,} queries"
            raise InvalidInputError(f"{message}; row n belongs to query n", field="--vectors")
        for i, row in enumerate(rows):
            if leg in found[i].vectors:
                message = f"query {found[i].id!r} already has a vector for leg {leg!r}; remove one"
                raise InvalidInputError(message, field="--vectors")
            found[i] = replace(found[i], vectors={**found[i].vectors, leg: row})
    return found


def check_query_legs(queries: Iterable[Query], legs: Collection[str]) -> None:
    """Raise InvalidInputError if a query has a vector for a leg that is not in `legs`."""
    for query in queries:
        for name in query.vectors:
            if name not in legs:
                message = f"query {query.id!r} has a vector for leg {name!r}, and there is no such "
                message += f"leg; the legs are {', '.join(legs)}{did_you_mean(name, legs)}"
                raise InvalidInputError(message, field=f"vectors.{name}")


class VectorFiles:
    """The files of `--vectors`: leg -> file.

    Raises InvalidInputError if a leg has two files.
    """

    def __init__(self, given: Sequence[tuple[str, str]]) -> None:
        self.files = dict(given)
        if len(self.files) < len(given):
            names = [leg for leg, _ in given]
            twice = next(leg for leg in names if names.count(leg) > 1)
            message = f"has two files for one leg, {twice!r}; give one"
            raise InvalidInputError(message, field="--vectors")

    def __bool__(self) -> bool:
        return bool(self.files)

    def columns_in(self, documents: Iterable[Path]) -> list[str]:
        """Return the columns of `--vectors` in Parquet files that also contain the documents.

        These columns must not be read as metadata of the documents.
        """
        same = {path.resolve() for path in documents}
        files = [file for file in self.files.values() if split_column(file)[0].resolve() in same]
        return [column for file in files if (column := column_of(file)) is not None]

    def check_counts(self, expected: int | None, read: Callable[[], CheckedDocuments]) -> None:
        """Raise InvalidInputError if a file has too few or too many rows for the documents.

        A document takes one row, or one for each passage if it has its own passages.

        expected: number of documents, counted without parsing; None if it is unknown.
        read:     function that reads the documents. It is called only if a file does not have
                  `expected` rows.
        """
        rows = {leg: count_vectors(file) for leg, file in self.files.items()}
        if set(rows.values()) == {expected}:
            return
        documents = taken = 0
        for document in read():
            documents += 1
            taken += rows_of(document)
        check_counts(rows, documents, taken)

    def attach(self, documents: CheckedDocuments) -> CheckedDocuments:
        """Return the documents, each with its vectors."""
        return with_vectors(documents, {leg: read_vectors(f) for leg, f in self.files.items()})
