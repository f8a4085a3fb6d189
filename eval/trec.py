"""Reads and writes runs and judgements (qrels) in the file formats of TREC."""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from ..core import InvalidInputError, Qrels, Run, SourceError
from ..core.errors import shown
from ..sources.lines import decode, read_lines
from .measures import ranking


def write_run(path: Path, run: Run, tag: str = "twindex") -> None:
    """Write a run as lines `query Q0 document rank score tag`, the best document first.

    A file whose name ends in `.gz` is compressed. `read_run` returns exactly the same scores.

    Raises InvalidInputError, and writes no file, if an id or the tag is empty or has white space,
    or if a score is not finite.
    """
    lines = list(_run_lines(run, _word(tag, "tag")))
    with _create(path) as file:
        file.writelines(lines)


def read_run(path: Path) -> Run:
    """Read a run, and return query id -> document id -> score.

    As in trec_eval, the order of the lines and the ranks are ignored. Raises SourceError for an
    invalid file; the error names the line.
    """
    run: dict[str, dict[str, float]] = {}
    for number, line in read_lines(path):
        columns = decode(line, path, number).split()
        if not columns:
            continue
        if len(columns) != 6:
            message = f"must have 6 columns, query Q0 document rank score tag, got {len(columns)}"
            if line.lstrip().startswith((b"{", b"[")):
                message += "; the name of a report of `twindex eval --json` must end in .json"
            raise SourceError(message, path=path, line=number)
        query, _, document, _, text, _ = columns
        try:
            score = float(text)
        except ValueError:
            score = math.nan
        if not math.isfinite(score):
            message = f"must be a finite number, got {shown(text)}"
            raise SourceError(message, path=path, line=number, field="score")
        if document in run.setdefault(query, {}):
            message = f"document {document} is listed twice for query {query}"
            raise SourceError(message, path=path, line=number)
        run[query][document] = score
    return run


def write_qrels(path: Path, qrels: Qrels) -> None:
    """Write judgements as lines `query 0 document grade`.

    Raises InvalidInputError, and writes no file, if an id is empty or has white space.
    """
    lines = [
        f"{_word(query, 'query id')} 0 {_word(document, 'document id')} {grade}\n"
        for query, grades in qrels.items()
        for document, grade in grades.items()
    ]
    with _create(path) as file:
        file.writelines(lines)


def _run_lines(run: Run, tag: str) -> Iterator[str]:
    for query, scores in run.items():
        _word(query, "query id")
        for rank, document in enumerate(ranking(scores), start=1):
            score = float(scores[document])
            if not math.isfinite(score):
                raise InvalidInputError(
                    f"the score of document {document} must be finite, got {score}"
                )
            yield f"{query} Q0 {_word(document, 'document id')} {rank} {score!r} {tag}\n"


def _word(text: str, what: str) -> str:
    """Return `text` unchanged. Raises InvalidInputError if it is empty or has white space.

    what: description of the text for the error, such as "query id".
    """
    if text.split() != [text]:
        problem = "has white space" if text else "is empty"
        raise InvalidInputError(f"the {what} {text!r} {problem}, which a TREC file does not allow")
    return text


def _create(path: Path) -> TextIO:
    try:
        if path.name.lower().endswith(".gz"):
            return gzip.open(path, "wt", encoding="utf-8")
        return path.open("w", encoding="utf-8")
    except OSError as error:
        raise SourceError(f"cannot be written: {error.strerror}", path=path) from None
