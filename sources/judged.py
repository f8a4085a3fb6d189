"""Reads the queries, relevance judgements and gold answers of an evaluation set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ..core import InvalidInputError, Qrels, Query, SourceError
from ..core.errors import shown
from .document import parse_id
from .lines import decode, plain_suffix, read_lines
from .records.jsonl import parse_json_line
from .vectors import LARGEST_OF_QUERY, check_vectors


def read_queries(path: Path) -> list[Query]:
    """Return the queries of a file, in the order of the file.

    path: BEIR's `queries.jsonl` with the fields `_id` or `id`, and `text`; or a `.tsv` or `.txt`
          file with lines `id<TAB>text` and no header. The file may be compressed (`.gz`). The field
          `vectors` of a JSON line, `{"leg": vector}`, contains vectors of the query; null counts
          as absent. Other fields are ignored.

    Raises SourceError, with the line, for an invalid or repeated query, and for a file without
    queries.
    """
    queries: dict[str, Query] = {}
    tabular = plain_suffix(path) in (".tsv", ".txt")
    for number, line in read_lines(path):
        if not line.strip():
            continue
        try:
            if tabular:
                query = _tab_query(decode(line, path, number))
            else:
                query = _json_query(line)
            if query.id in queries:
                raise InvalidInputError(f"another query has the id {query.id}; remove one of them")
        except SourceError:
            raise
        except InvalidInputError as error:
            raise SourceError(error.message, path=path, line=number, field=error.field) from None
        queries[query.id] = query
    if not queries:
        raise SourceError("the file contains no queries; check its path", path=path)
    return list(queries.values())


def read_qrels(path: Path) -> Qrels:
    """Return the relevance judgements of a file: query id -> document id -> grade.

    path: file with BEIR's columns `query-id<TAB>corpus-id<TAB>score` and a header, or with TREC's
          four columns `query iteration document grade`. The file may be compressed (`.gz`).

    Grades are integers. A grade of 0 (in TREC files also below 0) means that a document was judged
    as not relevant.

    Raises SourceError, with the line, for an invalid line, and if a pair of query and document has
    two different grades. Raises SourceError for a file without judgements.
    """
    qrels: dict[str, dict[str, int]] = {}
    for number, line in _judgement_lines(path):
        columns = line.split("\t") if line.count("\t") == 2 else line.split()
        if len(columns) not in (3, 4):
            message = f"a line must have 3 columns (BEIR, tabs) or 4 (TREC), got {len(columns)}"
            raise SourceError(message, path=path, line=number)
        query, document, grade = columns[0], columns[-2], columns[-1]
        try:
            value = int(grade)
        except ValueError:
            if number == 1 and len(columns) == 3:  # The header of BEIR's format.
                continue
            message = f"must be an integer, got {shown(grade)}"
            raise SourceError(message, path=path, line=number, field="score") from None
        if not query or not document:
            raise SourceError(
                "the ids of query and document must not be empty", path=path, line=number
            )
        if qrels.setdefault(query, {}).setdefault(document, value) != value:
            message = f"document {document} has two grades for query {query}; keep one of them"
            raise SourceError(message, path=path, line=number)
    if not qrels:
        raise SourceError("the file contains no judgements; check its path", path=path)
    return qrels


def read_answers(path: Path) -> dict[str, tuple[str, ...]]:
    """Return the gold answers of a file: query id -> every correct answer.

    path: file of JSON lines with the fields `_id` or `id` (of the query), and `answers`, a list of
          texts. Other fields are ignored. The file may be compressed (`.gz`).

    An empty list of answers marks a question without an answer.

    Raises SourceError, with the line and the field, for an invalid line, and for a file without
    answers.
    """
    found: dict[str, tuple[str, ...]] = {}
    for number, line in read_lines(path):
        if not line.strip():
            continue
        try:
            value = parse_json_line(line)
            query_id = parse_id(value)
            if query_id in found:
                raise InvalidInputError(
                    f"another line has answers for the query {query_id}; write all of its answers "
                    "in one line"
                )
            found[query_id] = _answers(value)
        except InvalidInputError as error:
            raise SourceError(error.message, path=path, line=number, field=error.field) from None
    if not found:
        raise SourceError("the file contains no answers; check its path", path=path)
    return found


def _answers(value: Mapping[str, object]) -> tuple[str, ...]:
    if "answers" not in value:
        raise InvalidInputError(
            "is missing; every line requires a list of answers, [] for a question that has none",
            field="answers",
        )
    answers = value["answers"]
    if not isinstance(answers, list):
        raise InvalidInputError(f"must be a list of texts, got {shown(answers)}", field="answers")
    for i, answer in enumerate(answers):
        if not isinstance(answer, str) or not answer.strip():
            raise InvalidInputError(
                f"must be a text that is not empty, got {shown(answer)}", field=f"answers[{i}]"
            )
    return tuple(answers)


def _judgement_lines(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in read_lines(path):
        if line.strip():
            yield number, decode(line, path, number)


def _json_query(line: bytes) -> Query:
    value = parse_json_line(line)
    query = _query(parse_id(value), value.get("text"))
    own = value.get("vectors")
    if own is None:
        return query
    return replace(query, vectors=check_vectors(own, largest=LARGEST_OF_QUERY))


def _tab_query(line: str) -> Query:
    query_id, tab, text = line.partition("\t")
    if not tab:
        raise InvalidInputError("the line has no tab; a query must be `id<TAB>text`")
    return _query(parse_id({"id": query_id}), text)


def _query(query_id: str, text: object) -> Query:
    if not isinstance(text, str) or not text.strip():
        raise InvalidInputError(
            f"a query requires a non-empty text, got {shown(text)}", field="text"
        )
    return Query(id=query_id, text=text)
