"""Demonstrations of the clustered background: pairs of a question and a document, in a file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...core import InvalidInputError, SourceError
from ...core.errors import shown
from ...sources.lines import read_lines
from ...sources.records.jsonl import parse_json_line

MOST = 200
"""Maximum number of lines that are read."""

_WORD = re.compile(r"\w+")

Pair = tuple[str, str]
"""A question and a document for it."""


def read_demonstrations(path: Path) -> list[Pair]:
    """Return the pairs of question and document in the first `MOST` lines of a JSON lines file.

    Each line has the fields `question` and `document`, and optionally `answers`, a list of texts.
    Other fields are ignored. If a line has answers, its document must contain the words of at least
    one answer, in order and adjacent; otherwise, the pair is left out.

    Raises SourceError for an invalid line, and if no pair remains. For an invalid line, the error
    names the line and the field.
    """
    found: list[Pair] = []
    read = 0
    for number, line in read_lines(path):
        if not line.strip():
            continue
        if read == MOST:
            break
        read += 1
        try:
            value = parse_json_line(line)
            question, document = (_text(value, name) for name in ("question", "document"))
            answers = _answers(value)
        except InvalidInputError as error:
            raise SourceError(error.message, path=path, line=number, field=error.field) from None
        if not answers or any(_has(document, answer) for answer in answers):
            found.append((question, document))
    if not found:
        raise SourceError(
            f"has no usable line in its first {MOST} lines; each line needs `question` and "
            "`document`; if a line has `answers`, its document must contain one of them",
            path=path,
        )
    return found


def _text(value: Mapping[str, object], name: str) -> str:
    text = value.get(name)
    if not isinstance(text, str) or not text.strip():
        raise InvalidInputError(f"must be a text that is not empty, got {shown(text)}", field=name)
    return " ".join(text.split())


def _answers(value: Mapping[str, object]) -> Sequence[str]:
    answers = value.get("answers", [])
    if not isinstance(answers, list) or not all(isinstance(one, str) for one in answers):
        raise InvalidInputError(f"must be a list of texts, got {shown(answers)}", field="answers")
    return answers


def _has(text: str, answer: str) -> bool:
    return f" {_words(answer)} " in f" {_words(text)} "


def _words(text: str) -> str:
    return " ".join(_WORD.findall(unicodedata.normalize("NFD", text).casefold()))
