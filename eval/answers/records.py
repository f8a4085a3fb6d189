"""Answers in a file, one JSON object a line. A killed evaluation can continue the file.

The first line describes how the answers were made. Each other line has one answer with all that its
measures need, and the values of these measures. A last line without a line break was interrupted
while it was written, and is removed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import orjson

from ...core import InvalidInputError, SourceError, Usage
from ...core.answers import Answer, Finish, Outcome
from ...core.errors import shown
from ...core.files import unreadable

VERSION = 1

Values = Mapping[str, float]
"""Name of a measure -> value."""


@dataclass(frozen=True, slots=True)
class CitedSpan:
    """A statement of an answer, and the numbers of the sources that it cites.

    start, end: characters of the answer's text (`end` exclusive).
    """

    start: int
    end: int
    numbers: Sequence[int]


@dataclass(frozen=True, slots=True)
class SentSource:
    """A source that the generator read. rank: best rank of its passages, from 1."""

    number: int
    id: str
    rank: int
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class AnswerRecord:
    """An answer as the evaluation reads it. `twindex.core.answers.Answer` describes the fields.

    id:      id of the question.
    sources: the passages that the generator read, best first.
    generated: the generated texts that the generator read (generate-then-read).
    """

    id: str
    outcome: Outcome
    text: str
    reason: str | None = None
    confidence: float | None = None
    finish: Finish = "stop"
    citations: Sequence[CitedSpan] = ()
    invalid_citations: Sequence[int] = ()
    sources: Sequence[SentSource] = ()
    usage: Usage = field(default_factory=Usage)
    timings: Mapping[str, float] = field(default_factory=dict)
    generated: Sequence[str] = ()

    @classmethod
    def of(cls, question: str, answer: Answer) -> Self:
        """Return the record of an answer. question: id of the question."""
        sources = [
            SentSource(one.number, one.id, min(one.ranks, default=0), one.title, one.text)
            for one in answer.sources
            if one.number
        ]
        return cls(
            id=question,
            outcome=answer.outcome,
            text=answer.text,
            reason=answer.reason,
            confidence=answer.confidence,
            finish=answer.finish,
            citations=[
                CitedSpan(one.start, one.end, [quote.number for quote in one.quotes])
                for one in answer.citations
            ],
            invalid_citations=tuple(answer.invalid_citations),
            sources=sorted(sources, key=lambda one: (one.rank, one.number)),
            usage=answer.usage,
            timings=dict(answer.timings),
            generated=[one.text for one in answer.sources if one.kind == "generated"],
        )

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> Self:
        """Return the record that a JSON object describes.

        Raises InvalidInputError if the object does not describe a record.
        """
        try:
            return cls(
                **{
                    **value,
                    "citations": [CitedSpan(**one) for one in value["citations"]],
                    "sources": [SentSource(**one) for one in value["sources"]],
                    "usage": Usage(**value["usage"]),
                }
            )
        except (KeyError, TypeError) as error:
            raise InvalidInputError(
                f"is not an answer that `twindex eval --answers` wrote ({error}); delete the file"
            ) from None


class AnswersFile:
    """A file of answers that an evaluation writes, and continues if the file exists.

    made: how the answers are made: a JSON object.

    Raises SourceError if the file exists and was made in another way, or is not a file of answers.
    """

    def __init__(self, path: Path, made: Mapping[str, Any]) -> None:
        self.path = path
        self.records: dict[str, AnswerRecord] = {}
        made = orjson.loads(orjson.dumps({"answers": VERSION, **made}))
        lines = [] if not path.exists() else _complete_lines(path)
        if lines:
            _check_equal(path, lines[0], made)
        for number, value in enumerate(lines[1:], 2):
            try:
                record = AnswerRecord.parse(_without_values(value))
            except InvalidInputError as error:
                raise SourceError(error.message, path=path, line=number) from None
            self.records[record.id] = record
        try:
            self._file = path.open("ab")
        except OSError as error:
            raise SourceError(f"cannot be written: {error.strerror}", path=path) from None
        whole = path.read_bytes().rfind(b"\n") + 1
        self._file.truncate(whole)
        if not lines:
            self._write(made)

    def add(self, record: AnswerRecord, values: Values) -> None:
        """Write an answer with its measures. The line stays if the process is killed later."""
        self._write({"_id": record.id, "values": values, **asdict(record)})
        self.records[record.id] = record

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, value: Mapping[str, Any]) -> None:
        self._file.write(orjson.dumps(value) + b"\n")
        self._file.flush()


def read_values(path: Path) -> dict[str, dict[str, float]]:
    """Return measure -> question id -> value, from a file that `AnswersFile` wrote.

    Raises SourceError, with the line, if the file is not such a file or has no answer.
    """
    found: dict[str, dict[str, float]] = {}
    for number, value in enumerate(_complete_lines(path)[1:], 2):
        values = value.get("values")
        if not isinstance(values, dict) or not isinstance(value.get("_id"), str):
            raise SourceError(_FOREIGN, path=path, line=number)
        for name, one in values.items():
            if not isinstance(one, int | float) or not math.isfinite(one):
                message = f"must be a finite number, got {shown(one)}"
                raise SourceError(message, path=path, line=number, field=f"values.{name}")
            found.setdefault(name, {})[value["_id"]] = float(one)
    if not found:
        raise SourceError("contains no answers; run `twindex eval --answers` again", path=path)
    return found


_FOREIGN = "is not a file of answers that `twindex eval --answers-file` wrote; name another file"
_BEGIN = b'{"answers":'


def _complete_lines(path: Path) -> list[dict[str, Any]]:
    """Return the objects of the complete lines, of which the first describes the answers."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from None
    if content[: len(_BEGIN)] != _BEGIN[: len(content)]:
        raise SourceError(_FOREIGN, path=path)
    found = []
    for number, line in enumerate(content.split(b"\n")[:-1], 1):
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            message = f"the line is not valid JSON ({error.msg}, column {error.colno})"
            raise SourceError(message, path=path, line=number) from None
        if not isinstance(value, dict) or (number == 1 and value.get("answers") != VERSION):
            raise SourceError(_FOREIGN, path=path, line=number)
        found.append(value)
    return found


def _check_equal(path: Path, found: Any, made: Any) -> None:
    """Raise SourceError, which names the first difference, if two descriptions differ."""
    if difference := _difference(found, made, ""):
        place, one, other = difference
        raise SourceError(
            f"has answers that were made with {place} = {one}, but {place} is {other} now; name "
            "another file, or delete this one",
            path=path,
            line=1,
        )


def _difference(one: Any, other: Any, place: str) -> tuple[str, str, str] | None:
    """Return the path of the first field that differs, and its two values as JSON."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted({*one, *other}):
            inner = f"{place}.{name}" if place else name
            if found := _difference(one.get(name), other.get(name), inner):
                return found
        return None
    if one == other:
        return None
    return place, *(orjson.dumps(value).decode()[:200] for value in (one, other))  # type: ignore[return-value]


def _without_values(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in value.items() if name not in ("_id", "values")}
