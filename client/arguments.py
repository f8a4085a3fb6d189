"""Checks the arguments of client methods before a request is sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence, Set
from numbers import Integral
from typing import Any
from urllib.parse import quote

from ..core import unicode
from ..core.errors import InvalidInputError, shown
from ..core.progress import NoProgress, Progress

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def collection(name: object) -> str:
    """Return the URL path of a collection. Raises InvalidInputError for an invalid name."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidInputError(
            "must be 1 to 64 letters, digits, - or _, and begin with a letter or digit, got "
            f"{shown(name)}",
            field="name",
        )
    return f"/v1/collections/{name}"


def identifier(value: object, field: str = "id") -> str:
    """Return the id of a document or job, quoted for a URL path.

    Raises InvalidInputError for an invalid id.
    """
    text = checked_text(value, field)
    if text in ("", ".", ".."):
        raise InvalidInputError(f"must not be '', '.' or '..', got {shown(text)}", field=field)
    return quote(text, safe="")


def checked_text(value: object, field: str) -> str:
    """Return the value. Raises InvalidInputError unless it is a string of valid Unicode."""
    if not isinstance(value, str):
        raise InvalidInputError(f"must be a string, got {shown(value)}", field=field)
    return unicode.checked_text(value, field)


def ids(value: object) -> list[str]:
    """Return the ids as a list without duplicates, in order.

    Raises InvalidInputError unless the value is a list or set of strings. A single string is
    refused, because its characters would become the ids.
    """
    if isinstance(value, str | bytes) or not isinstance(value, Sequence | Set):
        hint = f"; write [{shown(value)}]" if isinstance(value, str) else ""
        raise InvalidInputError(f"must be a list of ids, got {shown(value)}{hint}", field="ids")
    return list(dict.fromkeys(checked_text(one, f"ids[{i}]") for i, one in enumerate(value)))


def documents(value: Any) -> Any:
    """Return the value unchanged. The documents themselves are not checked.

    Raises InvalidInputError unless the value is an iterable or asynchronous iterable.
    """
    several = isinstance(value, Iterable) or hasattr(value, "__aiter__")
    if isinstance(value, str | bytes | Mapping) or not several:
        raise InvalidInputError(
            f"must be a list or another iterable of documents, got {shown(value)}",
            field="documents",
        )
    return value


def mapping(value: object, field: str) -> dict[str, Any]:
    """Return a mapping as a dictionary. Raises InvalidInputError unless its keys are strings."""
    if not isinstance(value, Mapping):
        raise InvalidInputError(f"must be a mapping, got {shown(value)}", field=field)
    if (wrong := next((name for name in value if not isinstance(name, str)), None)) is not None:
        raise InvalidInputError(f"every key must be a string, got {shown(wrong)}", field=field)
    return dict(value)


def vectors(value: object) -> object:
    """Return the vectors of a document or query in their JSON form: {leg: vector}.

    A sparse vector may be a mapping from dimensions (integers) to weights, or an object with the
    attributes `indices` and `values`. Both become {"indices": [...], "values": [...]}. The service
    checks everything else.
    """
    if not isinstance(value, Mapping):
        return value
    return {leg: _vector(one) for leg, one in value.items()}


def _vector(value: Any) -> object:
    if isinstance(value, Mapping):
        if value and all(isinstance(key, Integral) for key in value):
            return {"indices": list(value), "values": list(value.values())}
        return value
    if isinstance(value, list | tuple) and value and _is_sparse(value[0]):
        return [_vector(one) for one in value]
    if not isinstance(value, list | tuple) and _is_sparse(value):
        return {"indices": value.indices, "values": value.values}
    return value


def _is_sparse(value: object) -> bool:
    """Return True if the value has one of the forms of a sparse vector."""
    return isinstance(value, Mapping) or (hasattr(value, "indices") and hasattr(value, "values"))


def as_text(value: object, field: str) -> str:
    """Return a value as JSON text. Raises InvalidInputError if JSON cannot represent the value."""
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"cannot be written as JSON ({error})", field=field) from None


def as_json(value: object) -> bytes:
    """Return a value as JSON in UTF-8. Arrays of NumPy become lists.

    Raises TypeError or ValueError for a value that JSON cannot represent.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_as_list)
    return text.encode()


def _as_list(value: object) -> object:
    convert = getattr(value, "tolist", None)
    if convert is None:
        raise TypeError(f"{type(value).__name__} is not a JSON value")
    return convert()


def progress(value: Any) -> Progress:
    """Return the value if it is a receiver of progress, and a NoProgress for None.

    Raises InvalidInputError for an object without the methods of `Progress`.
    """
    if value is None:
        return NoProgress()
    if not all(callable(getattr(value, method, None)) for method in ("start", "advance", "close")):
        raise InvalidInputError(
            "must be an object with the methods of twindex.core.Progress, got "
            f"{repr(value) if isinstance(value, bool) else shown(value)}",
            field="progress",
        )
    checked: Progress = value
    return checked


def positive_integer(value: object, field: str) -> None:
    """Raise InvalidInputError unless the value is an integer of at least 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InvalidInputError(f"must be an integer >= 1, got {shown(value)}", field=field)


def check_json(value: Any) -> None:
    """Raise an error for a value that would change if it were written as JSON and read again.

    Raises TypeError if a key of a mapping is not a string, and ValueError if an integer has more
    than 64 bits.
    """
    if isinstance(value, str):  # Most values are: they need no slow check of abstract classes.
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise TypeError(f"the key {shown(key)} is not a string")
            check_json(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            check_json(inner)
    elif isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        raise ValueError("it contains an integer of more than 64 bits")
