"""Filters written inside a query text: `bridges year:>2019 author:"Ada Smith" -genre:drama`.

    field:value         equal; a number or boolean if the field has such values
    field:"two words"   equal to this string; \\" and \\\\ stand for a quote and a backslash
    field:a,b           one of
    field:>2019         greater than; also >=, <, <=
    field:1990..2000    from 1990 to 2000; one side may be missing
    field:doc*          a string that begins with doc
    field:*             has a value
    -field:...          the opposite; also true for documents without the field

Comparisons and ranges of ISO 8601 dates compare instants (the operator `date`). All conditions must
hold. Only known fields are read; other text stays in the query, and so does text in quotes. The
conditions mean the same as in JSON filters (docs/filters.md). `write_filters` converts conditions
to this text form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from typing import Any

from ..errors import InvalidInputError
from .conditions import And, Condition, Dated, Equal, Exists, In, Not, Prefix, Range
from .dates import date_text, instant
from .parsing import parse_filter
from .showing import show_filter
from .values import BOOLEAN, NUMBER, OWN, STRING, Scalar

MOST = 100
"""Maximum number of conditions that are read from one query. Further ones stay text."""

_TOKEN = re.compile(
    r'"[^"]*"|(?<!\S)(?P<minus>-?)(?P<field>[^\s:"-][^\s:"]*):'
    r'(?P<test>(?:"(?:[^"\\]|\\.)*"|[^\s"])+)'
)
_COMPARISON = re.compile(r"(>=|<=|>|<)(.*)", re.DOTALL)
_OPERATORS = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}
_RANGE = re.compile(r'("(?:[^"\\]|\\.)*"|[^"]*?)\.\.("(?:[^"\\]|\\.)*"|[^"]*)', re.DOTALL)
_ITEM = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^,"])+')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_PLAIN = re.compile(r"[\w/@#%&+'-]+(?:[.:][\w/@#%&+'-]+)*")
"""A string that needs no quotes."""

Kinds = Mapping[str, Set[int]]
"""Metadata field -> kinds of its values in the collection, such as NUMBER."""

_STRINGS = frozenset({STRING})


def read_filters(query: str, fields: Kinds) -> tuple[str, dict[str, Any] | None]:
    """Return the query text without its conditions, and the conditions as a JSON filter.

    If the query has no conditions, return the query unchanged, and None instead of a filter.

    query:  query text, such as `flightless birds year:>=1990`.
    fields: the metadata fields that a condition may test, each with the kinds of its values.
            Conditions on `id` and `title` are always read.
    """
    found: list[Condition] = []
    kept, end = [], 0
    for match in _TOKEN.finditer(query):
        if match["field"] is None or len(found) == MOST:
            continue
        test, after = _without_punctuation(match["test"])
        name = match["field"]
        kinds = fields.get(name, frozenset()) | (_STRINGS if name in OWN else frozenset())
        condition = _condition(name, test, kinds) if kinds else None
        if condition is None:
            continue
        found.append(Not(condition) if match["minus"] else condition)
        kept += [query[end : match.start()], after]
        end = match.end()
    if not found:
        return query, None
    rest = " ".join("".join([*kept, query[end:]]).split())
    return rest, show_filter(found[0] if len(found) == 1 else And(tuple(found)))


def write_filters(condition: Condition) -> str:
    """Return the text form of a condition, which `read_filters` reads as an equal condition.

    Raises ValueError for a condition without a text form, such as one with `or`.
    """
    parts = condition.parts if isinstance(condition, And) else (condition,)
    if not parts:
        raise ValueError("a filter without conditions has no text form")
    return " ".join(map(_written, parts))


def _without_punctuation(test: str) -> tuple[str, str]:
    """Divide the text after `FIELD:` into the test and the punctuation of the sentence around it.

    `1990?` becomes (`1990`, `?`).
    """
    if test.endswith('"'):
        return test, ""
    end = len(test.rstrip("?!;,)]"))
    if test[:end].endswith(".") and not test[:end].endswith(".."):
        end -= 1
    return test[:end], test[end:]


def _condition(field: str, test: str, kinds: Set[int]) -> Condition | None:
    """Return the condition that a text such as `year:>=1990` describes; None if it is no condition.

    field: name of the field, here `year`.
    test:  text after the colon, here `>=1990`.
    kinds: kinds of the values of the field. A test that fits none of them is no condition.
    """
    if test == "*":
        return Exists(field)
    if match := _COMPARISON.fullmatch(test):
        return _bounded(field, {_OPERATORS[match[1]]: match[2]}, kinds)
    if match := _RANGE.fullmatch(test):
        sides = {"gte": match[1], "lte": match[2]}
        return _bounded(field, {op: text for op, text in sides.items() if text}, kinds)
    if test.endswith("*") and '"' not in test and "," not in test and STRING in kinds:
        return Prefix(field, test[:-1])
    items = _ITEM.findall(test)
    if not items or ",".join(items) != test:
        return None
    values: list[Scalar] = []
    for item in items:
        own = _values(item, kinds)
        if not own:
            return None
        values += own
    return _parsed({field: values[0] if len(values) == 1 else {"in": values}})


def _bounded(field: str, texts: Mapping[str, str], kinds: Set[int]) -> Condition | None:
    """Return a range condition on numbers, dates or strings; None if the bounds do not fit `kinds`.

    texts: operator, such as "gte" -> bound as text.
    kinds: kinds of the values of the field.
    """
    found = {operator: _values(text, kinds) for operator, text in texts.items()}
    for wanted in (int | float, str):
        bounds = {
            operator: next((v for v in own if _is(v, wanted)), None)
            for operator, own in found.items()
        }
        if bounds and None not in bounds.values():
            dates = wanted is str and all(instant(str(v)) is not None for v in bounds.values())
            return _parsed({field: {"date": bounds} if dates else bounds})
    return None


def _is(value: Scalar, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _values(text: str, kinds: Set[int]) -> list[Scalar]:
    """Return the values that a text may mean, at most one for each of `kinds`.

    The text `1990` may mean a number and a string.
    """
    if match := _QUOTED.fullmatch(text):
        return [re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL)] if STRING in kinds else []
    if not text or '"' in text:
        return []
    found: list[Scalar] = []
    if NUMBER in kinds and _NUMBER.fullmatch(text):
        found.append(float(text) if re.search(r"[.eE]", text) else int(text))
    if BOOLEAN in kinds and text in ("true", "false"):
        found.append(text == "true")
    if STRING in kinds:
        found.append(text)
    return found


def _parsed(value: Mapping[str, Any]) -> Condition | None:
    """Return the condition of a JSON filter; None if a value is out of range, such as 1e999."""
    try:
        found: Condition = parse_filter(value)
    except InvalidInputError:
        return None
    return found


def _written(condition: Condition) -> str:
    match condition:
        case Not(Not()):
            pass
        case Not(part):
            return f"-{_written(part)}"
        case Equal(key, kind, value):
            return f"{_name(key)}:{_value(kind, value)}"
        case In(key, values) if len(values) > 1:
            return f"{_name(key)}:{','.join(_value(kind, value) for kind, value in values)}"
        case Range(key, kind, bounds):
            if all(isinstance(v, str) and instant(v) is not None for _, v in bounds):
                raise ValueError(
                    f"the range of {key!r} has no text form, because it compares dates as strings; "
                    "use the operator `date`, or write the filter as JSON"
                )
            return f"{_name(key)}:{_range([(op, _value(kind, value)) for op, value in bounds])}"
        case Dated(key, bounds):
            return f"{_name(key)}:{_range([(op, _quoted(date_text(at))) for op, at in bounds])}"
        case Prefix(key, text) if _PLAIN.fullmatch(text):
            return f"{_name(key)}:{text}*"
        case Exists(key):
            return f"{_name(key)}:*"
    message = f"the condition {show_filter(condition)} has no text form; write the filter as JSON"
    raise ValueError(message)


def _name(key: str) -> str:
    if re.fullmatch(r'[^\s:"-][^\s:"]*', key):
        return key
    raise ValueError(f"the field {key!r} has no text form; write the filter as JSON")


def _range(bounds: Sequence[tuple[str, str]]) -> str:
    if len(bounds) == 1:
        ((operator, value),) = bounds
        signs = {name: sign for sign, name in _OPERATORS.items()}
        if operator in signs:
            return signs[operator] + value
    if [operator for operator, _ in bounds] == ["gte", "lte"]:
        return "..".join(value for _, value in bounds)
    operators = ", ".join(operator for operator, _ in bounds)
    raise ValueError(
        f"a range with the operators {operators} has no text form; use a single operator, or gte "
        "with lte, or write the filter as JSON"
    )


def _value(kind: int, value: Scalar) -> str:
    if kind == BOOLEAN:
        return "true" if value else "false"
    if kind == NUMBER:
        return repr(value)
    text = str(value)
    return text if _PLAIN.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    escaped = re.sub(r'(["\\])', r"\\\1", text)
    return f'"{escaped}"'
