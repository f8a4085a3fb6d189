"""Types of arguments, checked where a program calls: a wrong one is named, with what it must be.

    @checked(id=text, limit=integer(Bounds(1, 1_000)), filter=optional(condition))
    def find(id, *, limit=10, filter=None): ...

Each check takes the value and the name of the argument and raises InvalidInputError.
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
"""Bytes that a long operation may take."""


def checked(**checks: Check) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Check the arguments that a call gives, by name, before the function sees them."""

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
    """The check, or None."""

    def either(value: object, name: str) -> None:
        if value is not None:
            check(value, name)

    return either


def instance(kind: type | UnionType, wanted: str) -> Check:
    """An object of a type; `wanted` says it in words."""

    def check(value: object, name: str) -> None:
        if not isinstance(value, kind):
            raise refused(value, name, wanted)

    return check


def function(wanted: str) -> Check:
    """Something that can be called."""

    def check(value: object, name: str) -> None:
        if not callable(value):
            raise refused(value, name, wanted)

    return check


def integer(bounds: Bounds) -> Check:
    """An int within bounds; True is none."""

    def check(value: object, name: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not bounds.holds(value):
            raise refused(value, name, f"an integer {bounds.words}")

    return check


def choice(*words: str) -> Check:
    """One of some words."""

    def check(value: object, name: str) -> None:
        if not isinstance(value, str) or value not in words:
            raise refused(value, name, " or ".join(f'"{word}"' for word in words))

    return check


def path(value: object, name: str) -> None:
    """A path that a file system can have."""
    text = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    try:
        if isinstance(text, str) and text and b"\0" not in os.fsencode(text):
            return
    except UnicodeEncodeError:
        pass
    raise refused(value, name, "the path of a folder, a str or a Path")


def documents(value: object, name: str) -> None:
    """Several documents; each is checked when it is read."""
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise refused(value, name, "a list or another iterable of documents")


def ids(value: object, name: str) -> None:
    """A list of ids. A single text is refused: its characters would be taken for ids."""
    if isinstance(value, str | bytes | bytearray) or not isinstance(value, Sequence | Set):
        hint = f"; write [{shown(value)}]" if isinstance(value, str) else ""
        raise InvalidInputError(f"must be a list of ids, got {shown(value)}{hint}", field=name)
    for i, one in enumerate(value):
        text(one, f"{name}[{i}]")


def refused(value: object, name: str, wanted: str) -> InvalidInputError:
    """The error for an argument that must be something else."""
    return InvalidInputError(f"must be {wanted}, got {shown(value)}", field=name)


text = instance(str, "a string")
flag = instance(bool, "True or False")
condition = instance(Mapping | Condition, "a mapping such as {'year': {'gte': 1990}}")


def progress(value: object, name: str) -> None:
    """What `Progress` has."""
    if not all(callable(getattr(value, method, None)) for method in ("start", "advance", "close")):
        raise refused(value, name, "an object with the methods of twindex.core.Progress")
