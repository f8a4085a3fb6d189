"""Parsers of a language model's JSON answers, which contain scores or criteria.

`twindex.ask.answers` has the shared parts.
"""

from __future__ import annotations

from typing import Any

from ...ask.answers import BadAnswer, entries, fold, folded, number, shown, values
from ...ask.reading import one_line
from .scores import RELEVANCE, Criteria, Criterion, Scores

MAX_CRITERIA = 8
MAX_NAME_LENGTH = 60
MAX_DEFINITION_LENGTH = 400
"""Maximum number of characters in the definition of a criterion."""

MAX_WEIGHT = 2.0
MAX_MAXIMUM = 10.0


def read_scores(text: str, count: int, criteria: Criteria) -> list[Scores]:
    """Return the scores in a model's answer, one entry for each document from 1 to `count`.

    criteria: the criteria by which the answer must score every document.

    Raises BadAnswer for an incomplete or invalid answer.
    """
    found: dict[int, Scores] = {}
    for entry in entries(text, "document"):
        document = folded(entry).get("document")
        if type(document) is not int or not 1 <= document <= count:
            raise BadAnswer(f'"document" is {shown(document)}, not a number from 1 to {count}')
        if document in found:
            raise BadAnswer(f"the scores of document {document} occur twice")
        found[document] = _scores(entry, document, criteria)
    missing = [str(document) for document in range(1, count + 1) if document not in found]
    if missing:
        raise BadAnswer(
            f"the scores of document{'s' * (len(missing) > 1)} {', '.join(missing)} are missing"
        )
    return [found[document] for document in range(1, count + 1)]


def read_criteria(text: str, weight: float) -> Criteria:
    """Return the criteria in a model's answer.

    weight: weight of each criterion to which the answer gives no weight.

    Raises BadAnswer for an invalid answer.
    """
    whole = next((v for v in values(text) if isinstance(v, dict) and "criteria" in v), None)
    items = None if whole is None else whole["criteria"]
    if not isinstance(items, list) or not all(isinstance(entry, dict) for entry in items):
        raise BadAnswer('a JSON object with a list "criteria" of objects is missing')
    found = [_criterion(entry, weight) for entry in items]
    chosen = [one for one in found if fold(one.name) != RELEVANCE]
    names = [fold(one.name) for one in chosen]
    if not 1 <= len(chosen) <= MAX_CRITERIA:
        raise BadAnswer(
            f"there are {len(chosen)} criteria besides relevance, not 1 to {MAX_CRITERIA}"
        )
    for name in names:
        if names.count(name) > 1 or name == "document":
            raise BadAnswer(f'the name "{name}" occurs twice, or is reserved')
    assert whole is not None
    wanted = fold(str(whole.get("tie_breaker", "")))
    tie = next((one.name for one in chosen if fold(one.name) == wanted), chosen[0].name)
    return Criteria(tuple(chosen), tie)


def _criterion(entry: dict[str, Any], weight: float) -> Criterion:
    name, definition = entry.get("name"), entry.get("definition")
    if not isinstance(name, str) or not fold(name) or len(name) > MAX_NAME_LENGTH:
        raise BadAnswer(f'"name" is {shown(name)}, not a text of 1 to {MAX_NAME_LENGTH} characters')
    if not isinstance(definition, str) or not 0 < len(definition.strip()) <= MAX_DEFINITION_LENGTH:
        raise BadAnswer(
            f'"definition" of "{one_line(name)}" is {shown(definition)}, not a text of 1 to '
            f"{MAX_DEFINITION_LENGTH} characters"
        )
    # A closing bracket would end the answer; see `_Question.end` in `reranker`.
    name = one_line(name).replace("[", "(").replace("]", ")")
    maximum = number(entry.get("maximum", 5), 0, MAX_MAXIMUM, f'"maximum" of "{name}"')
    if maximum == 0:
        raise BadAnswer(f'"maximum" of "{name}" is 0, but must be above 0')
    return Criterion(
        name,
        one_line(definition),
        maximum,
        number(entry.get("weight", weight), 0, MAX_WEIGHT, f'"weight" of "{name}"'),
    )


def _scores(entry: dict[str, Any], document: int, criteria: Criteria) -> Scores:
    given = folded(entry)
    scores = {}
    for one in criteria.scored_criteria:
        key = fold(one.name)
        if key not in given:
            raise BadAnswer(f'the score "{one.name}" of document {document} is missing')
        scores[one.name] = number(
            given[key], 0, one.maximum, f'"{one.name}" of document {document}'
        )
    return scores
