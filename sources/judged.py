"""Queries and relevance judgements of an evaluation set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..core import InvalidInputError, Qrels, Query, SourceError
from ..core.errors import shown
from .document import parse_id
from .jsonl import parse_json_line
from .lines import decode, plain_suffix, read_lines


def read_queries(path: Path) -> list[Query]:
    """Queries in the order of the file: BEIR's `queries.jsonl` (fields `_id` or `id` and `text`;
    others are not used), or a `.tsv` or `.txt` of `id<TAB>text` without a header. Also `.gz`.

    Raises SourceError with the line: there is no partial evaluation set.
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
                raise InvalidInputError(f"query {query.id} is given twice")
        except SourceError:
            raise
        except InvalidInputError as error:
            raise SourceError(error.message, path=path, line=number, field=error.field) from None
        queries[query.id] = query
    if not queries:
        raise SourceError("holds no queries", path=path)
    return list(queries.values())


def read_qrels(path: Path) -> Qrels:
    """Judgements: BEIR's `query-id<TAB>corpus-id<TAB>score` with its header, or TREC's four
    columns `query iteration document grade`. Also `.gz`.

    Grades are whole numbers; 0 (and in TREC files a negative one) is judged and not relevant.
    Raises SourceError with the line, also for two different grades of one pair.
    """
    qrels: dict[str, dict[str, int]] = {}
    for number, line in _judgement_lines(path):
        columns = line.split("\t") if line.count("\t") == 2 else line.split()
        if len(columns) not in (3, 4):
            message = f"{len(columns)} columns; 3 (BEIR, tabs) or 4 (TREC) are expected"
            raise SourceError(message, path=path, line=number)
        query, document, grade = columns[0], columns[-2], columns[-1]
        try:
            value = int(grade)
        except ValueError:
            if number == 1 and len(columns) == 3:  # the header of BEIR's layout
                continue
            message = f"must be a whole number, not {shown(grade)}"
            raise SourceError(message, path=path, line=number, field="score") from None
        if not query or not document:
            raise SourceError("an id is empty", path=path, line=number)
        if qrels.setdefault(query, {}).setdefault(document, value) != value:
            message = f"document {document} has two grades for query {query}"
            raise SourceError(message, path=path, line=number)
    if not qrels:
        raise SourceError("holds no judgements", path=path)
    return qrels


def _judgement_lines(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in read_lines(path):
        if line.strip():
            yield number, decode(line, path, number)


def _json_query(line: bytes) -> Query:
    value = parse_json_line(line)
    return _query(parse_id(value), value.get("text"))


def _tab_query(line: str) -> Query:
    query_id, tab, text = line.partition("\t")
    if not tab:
        raise InvalidInputError("a line must be `id<TAB>text`")
    return _query(parse_id({"id": query_id}), text)


def _query(query_id: str, text: object) -> Query:
    if not isinstance(text, str) or not text.strip():
        raise InvalidInputError("a query needs a text", field="text")
    return Query(id=query_id, text=text)
