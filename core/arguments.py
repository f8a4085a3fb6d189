"""Checks of the arguments of public functions.

    @checked(id=text, limit=integer(Bounds(1, 1_000)), filter=optional(condition))
    def find(id, *, limit=10, filter=None): ...

Each check receives the value and the name of an argument. A wrong value raises InvalidInputError,
which names the argument and says what its value must be.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import wraps
from types import UnionType
from typing import ParamSpec, TypeVar

from .bounds import Bounds
from .errors import InvalidInputError, shown
from .filters import Condition

P = ParamSpec("P")
R = TypeVar("R")

Check = Callable[[object, str], None]

MEMORY = Bounds(1, 1 << 50)
"""Bounds of the memory that a long operation may use, in bytes."""


def checked(**checks: Check) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that checks the arguments of a function before each call.

    checks: name of an argument -> its check. Arguments that the caller leaves out are not checked.
    """

    def wrap(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            given = signature.bind(*args, **kwargs).arguments
            for name, check in checks.items():
                if name in given:
                    check(given[name], name)
            return function(*args, **kwargs)

        return call

    return wrap


def optional(check: Check) -> Check:
    """Return a check that accepts None and every value that `check` accepts."""

    def either(value: object, name: str) -> None:
        if value is not None:
            check(value, name)

    return either


def instance(kind: type | UnionType, wanted: str) -> Check:
    """Return a check for an instance of `kind`.

    wanted: what the value must be, in words for the error message.
    """

    def check(value: object, name: str) -> None:
        if not isinstance(value, kind):
            raise refused(value, name, wanted)

    return check


def function(wanted: str) -> Check:
    """Return a check for a callable.

    wanted: what the value must be, in words for the error message.
    """

    def check(value: object, name: str) -> None:
        if not callable(value):
            raise refused(value, name, wanted)

    return check


def integer(bounds: Bounds) -> Check:
    """Return a check for an int within `bounds`. The check refuses True and False."""

    def check(value: object, name: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not bounds.holds(value):
            raise refused(value, name, f"an integer {bounds.words}")

    return check


def choice(*words: str) -> Check:
    """Return a check for a string that is one of `words`."""

    def check(value: object, name: str) -> None:
        if not isinstance(value, str) or value not in words:
            raise refused(value, name, " or ".join(f'"{word}"' for word in words))

    return check


def path(value: object, name: str) -> None:
    """Check that the value is a valid file system path: not empty, without null bytes."""
    text = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    try:
        if isinstance(text, str) and text and b"\0" not in os.fsencode(text):
            return
    except UnicodeEncodeError:
        pass
    raise refused(value, name, "the path of a folder: a non-empty str or Path without null bytes")


def documents(value: object, name: str) -> None:
    """Check that the value is a list or another iterable, but not a string or a mapping.

    Each document is checked later, when it is read from the iterable.
    """
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        is_path = isinstance(value, str | os.PathLike)
        hint = "; read files with `twindex.sources.read_documents`" if is_path else ""
        raise refused(value, name, "a list or another iterable of documents", hint)


def ids(value: object, name: str) -> None:
    """Check that the value is a list or set of strings.

    A single string is refused, because its characters would become the ids.
    """
    if isinstance(value, str | bytes | bytearray) or not isinstance(value, Sequence | Set):
        hint = f"; write [{shown(value)}]" if isinstance(value, str) else ""
        raise refused(value, name, "a list of ids", hint)
    for i, one in enumerate(value):
        text(one, f"{name}[{i}]")


def refused(value: object, name: str, wanted: str, hint: str = "") -> InvalidInputError:
    """Return the error for a wrong value of the argument `name`.

    wanted: what the value must be, in words.
    hint:   what to do, added to the end of the message.
    """
    plain = value is None or isinstance(value, bool)  # `shown` writes them as in JSON.
    got = repr(value) if plain else shown(value)
    return InvalidInputError(f"must be {wanted}, got {got}{hint}", field=name)


text = instance(str, "a string")
flag = instance(bool, "True or False")
condition = instance(Mapping | Condition, "a mapping such as {'year': {'gte': 1990}}")


def progress(value: object, name: str) -> None:
    """Check that the value has the methods of `Progress`."""
    if not all(callable(getattr(value, method, None)) for method in ("start", "advance", "close")):
        raise refused(value, name, "an object with the methods of twindex.core.Progress")
