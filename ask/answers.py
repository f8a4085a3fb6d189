"""Parses the answers of a language model: yes or no, or validated JSON.

Harmless errors are repaired: code fences and words around the JSON, commas before a closing
bracket, an object around the array, objects without an array, and other spellings of names. Any
other error raises `BadAnswer`. Its message is sent to the model, which may correct the answer.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from .reading import one_line

TRIED = 50
"""Maximum number of opening brackets without valid JSON before the parser gives up."""

_WORD = re.compile(r"\b(yes|no)\b", re.IGNORECASE)
_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[\]}])', re.DOTALL)
_OPENING = re.compile(r"[\[{]")


class BadAnswer(Exception):  # noqa: N818 - not raised to callers
    """An answer of a model is invalid. The message says what is wrong."""


def yes_or_no(answer: str) -> bool | None:
    """Return True for an answer with the word "yes", False for "no", None for neither or both."""
    words = {word.lower() for word in _WORD.findall(answer)}
    return words == {"yes"} if len(words) == 1 else None


def logistic(logit: float) -> float:
    """Return 1 / (1 + exp(-logit)) without overflow, for a logit of any size.

    If `logit` is the log-likelihood ratio of two answers, this is the probability of the first.
    """
    if logit >= 0:
        return 1 / (1 + math.exp(-logit))
    return math.exp(logit) / (1 + math.exp(logit))


def entries(text: str, key: str) -> Sequence[dict[str, Any]]:
    """Return the JSON objects of an answer.

    The answer may contain an array of objects, an object that contains such an array, or separate
    objects.

    key: name of a field that each object should have, in the spelling that `fold` returns.

    Raises BadAnswer if there are no objects.
    """
    objects = []
    for value in values(text):
        if isinstance(value, dict):
            lists = [v for v in value.values() if isinstance(v, list)]
            if key in folded(value) or not lists:
                objects.append(value)
                continue
            value = lists[0]
        if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            return value
    if not objects:
        raise BadAnswer("there is no complete JSON array of objects")
    return objects


def values(text: str) -> Iterator[Any]:
    """Yield the outermost JSON arrays and objects in a text."""
    text = _COMMA.sub(lambda match: match[1] or "", text)
    decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
    start = failed = 0
    while failed < TRIED:
        opening = _OPENING.search(text, start)
        if opening is None:
            return
        try:
            value, start = decoder.raw_decode(text, opening.start())
        except (ValueError, RecursionError):
            start, failed = opening.end(), failed + 1
            continue
        yield value


def number(value: Any, low: float, high: float, what: str) -> float:
    """Return the value as a float. Raises BadAnswer unless it is a number from `low` to `high`.

    what: name of the value in the error message.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise BadAnswer(f"{what} is {shown(value)}, not a number from {low:g} to {high:g}")
    return float(value)


def folded(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a JSON object in which `fold` has normalised every name."""
    return {fold(name): value for name, value in entry.items()}


def fold(name: str) -> str:
    """Return only the letters and digits of a name, in lower case, to compare spellings."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def shown(value: Any) -> str:
    """Return a value as text for an error message: its JSON, shortened to 40 characters.

    A missing value (None) becomes "missing".
    """
    return "missing" if value is None else one_line(json.dumps(value, ensure_ascii=False))[:40]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise BadAnswer("an object has the same name twice")
    return found


def _constant(name: str) -> NoReturn:
    raise BadAnswer(f"{name} is not a number")
