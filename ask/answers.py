"""What a model's answer says: yes or no, or checked JSON.

Of JSON, what harms nothing is repaired: code fences and words around it, commas before a closing
bracket, an object around the array, objects without an array, names in other letters. All else is
a `BadAnswer`, whose message tells the model what was wrong.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from .reading import one_line

TRIED = 50
"""Places at which JSON may begin, and does not, that are looked at."""

_WORD = re.compile(r"\b(yes|no)\b", re.IGNORECASE)
_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[\]}])', re.DOTALL)
_OPENING = re.compile(r"[\[{]")


class BadAnswer(Exception):  # noqa: N818 - not raised to callers
    """What is wrong with an answer, in words."""


def yes_or_no(answer: str) -> bool | None:
    """The one of yes and no that occurs in an answer; None where neither does, or both do."""
    words = {word.lower() for word in _WORD.findall(answer)}
    return words == {"yes"} if len(words) == 1 else None


def logistic(logit: float) -> float:
    """1 / (1 + exp(-logit)), for a logit of any size: the probability of an answer against another
    one, from the logarithm of how much likelier it is."""
    if logit >= 0:
        return 1 / (1 + math.exp(-logit))
    return math.exp(logit) / (1 + math.exp(logit))


def entries(text: str, key: str) -> Sequence[dict[str, Any]]:
    """The objects of an answer, which is an array of them, holds one, or is object by object.

    key: a name, folded, that each object should have. Raises BadAnswer where there is none.
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


def number(value: Any, low: float, high: float, what: str) -> float:
    """A number within bounds. what: it stands for, in the message. Raises BadAnswer."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise BadAnswer(f"{what} is {shown(value)}, not a number from {low:g} to {high:g}")
    return float(value)


def folded(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An object whose names are folded, see `fold`."""
    return {fold(name): value for name, value in entry.items()}


def fold(name: str) -> str:
    """Small letters and digits only: what names are compared by."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def shown(value: Any) -> str:
    """A value in a message."""
    return "missing" if value is None else one_line(json.dumps(value, ensure_ascii=False))[:40]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise BadAnswer("an object has the same name twice")
    return found


def _constant(name: str) -> NoReturn:
    raise BadAnswer(f"{name} is no number")
