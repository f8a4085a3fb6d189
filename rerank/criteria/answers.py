"""Answers of a model as checked JSON.

What harms nothing is repaired: code fences and words around the JSON, commas before a closing
bracket, an object around the array, objects without an array, names in other letters. All else is
a `BadAnswer`, whose message tells the model what was wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from ...ask.reading import one_line
from .scores import RELEVANCE, Criteria, Criterion, Scores

TRIED = 50
"""Places at which JSON may begin, and does not, that are looked at."""

MOST_CRITERIA = 8
LONGEST_NAME = 60
LONGEST_DEFINITION = 400
"""In letters."""

MOST_WEIGHT = 2.0
MOST_MAXIMUM = 10.0

_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[\]}])', re.DOTALL)
_OPENING = re.compile(r"[\[{]")


class BadAnswer(Exception):  # noqa: N818 - not raised to callers
    """What is wrong with an answer, in words."""


def read_scores(text: str, count: int, criteria: Criteria) -> list[Scores]:
    """The scores of documents 1 to `count`, in this order. Raises BadAnswer."""
    found: dict[int, Scores] = {}
    for entry in _entries(text):
        number = _plain(entry).get("document")
        if type(number) is not int or not 1 <= number <= count:
            raise BadAnswer(f'"document" is {_shown(number)}, not a number from 1 to {count}')
        if number in found:
            raise BadAnswer(f"document {number} is there twice")
        found[number] = _scores(entry, number, criteria)
    missing = [str(number) for number in range(1, count + 1) if number not in found]
    if missing:
        raise BadAnswer(f"no scores of document {', '.join(missing)}")
    return [found[number] for number in range(1, count + 1)]


def read_criteria(text: str, weight: float) -> Criteria:
    """Criteria that a model chose; `weight` is that of those without one. Raises BadAnswer."""
    whole = next((v for v in _values(text) if isinstance(v, dict) and "criteria" in v), None)
    entries = None if whole is None else whole["criteria"]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadAnswer('there is no JSON object with "criteria", a list of objects')
    found = [_criterion(entry, weight) for entry in entries]
    items = [one for one in found if _folded(one.name) != RELEVANCE]
    names = [_folded(one.name) for one in items]
    if not 1 <= len(items) <= MOST_CRITERIA:
        raise BadAnswer(
            f"there are {len(items)} criteria besides relevance, not 1 to {MOST_CRITERIA}"
        )
    for name in names:
        if names.count(name) > 1 or name == "document":
            raise BadAnswer(f'the name "{name}" cannot be used, or is there twice')
    assert whole is not None
    wanted = _folded(str(whole.get("tie_breaker", "")))
    tie = next((one.name for one in items if _folded(one.name) == wanted), items[0].name)
    return Criteria(tuple(items), tie)


def _criterion(entry: dict[str, Any], weight: float) -> Criterion:
    name, definition = entry.get("name"), entry.get("definition")
    if not isinstance(name, str) or not _folded(name) or len(name) > LONGEST_NAME:
        raise BadAnswer(f'"name" is {_shown(name)}, not a short text')
    if not isinstance(definition, str) or not 0 < len(definition.strip()) <= LONGEST_DEFINITION:
        raise BadAnswer(f'"definition" of "{one_line(name)}" is not a sentence')
    # A bracket would end the answer, see `reranker`.
    name = one_line(name).replace("[", "(").replace("]", ")")
    maximum = _number(entry.get("maximum", 5), 0, MOST_MAXIMUM, f'"maximum" of "{name}"')
    if maximum == 0:
        raise BadAnswer(f'"maximum" of "{name}" is 0')
    return Criterion(
        name,
        one_line(definition),
        maximum,
        _number(entry.get("weight", weight), 0, MOST_WEIGHT, f'"weight" of "{name}"'),
    )


def _scores(entry: dict[str, Any], number: int, criteria: Criteria) -> Scores:
    given = {_folded(name): value for name, value in entry.items()}
    scores = {}
    for one in criteria.asked:
        key = _folded(one.name)
        if key not in given:
            raise BadAnswer(f'document {number} has no "{one.name}"')
        scores[one.name] = _number(given[key], 0, one.maximum, f'"{one.name}" of document {number}')
    return scores


def _number(value: Any, low: float, high: float, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise BadAnswer(f"{what} is {_shown(value)}, not a number from {low:g} to {high:g}")
    return float(value)


def _entries(text: str) -> Sequence[dict[str, Any]]:
    """The objects of an answer, which is an array of them, holds one, or is object by object."""
    objects = []
    for value in _values(text):
        if isinstance(value, dict):
            lists = [v for v in value.values() if isinstance(v, list)]
            if "document" in _plain(value) or not lists:
                objects.append(value)
                continue
            value = lists[0]
        if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            return value
    if not objects:
        raise BadAnswer("there is no complete JSON array of objects")
    return objects


def _values(text: str) -> Iterator[Any]:
    """JSON arrays and objects in a text, each as a whole."""
    text = _COMMA.sub(lambda match: match[1] or "", text)
    decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
    place = failed = 0
    while failed < TRIED:
        opening = _OPENING.search(text, place)
        if opening is None:
            return
        try:
            value, place = decoder.raw_decode(text, opening.start())
        except (ValueError, RecursionError):
            place, failed = opening.end(), failed + 1
            continue
        yield value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise BadAnswer("an object has the same name twice")
    return found


def _constant(name: str) -> NoReturn:
    raise BadAnswer(f"{name} is no number")


def _plain(entry: dict[str, Any]) -> dict[str, Any]:
    return {_folded(name): value for name, value in entry.items()}


def _folded(name: str) -> str:
    """Small letters and digits only: what names are compared by."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _shown(value: Any) -> str:
    return "missing" if value is None else one_line(json.dumps(value, ensure_ascii=False))[:40]
