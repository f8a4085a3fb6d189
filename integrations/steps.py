"""Runs operations on a collection, for blocking and for asynchronous callers.

An operation is a generator. It yields a `Call` of a method of the collection, receives the result,
and returns the result of the operation. So each operation is written once.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..core.errors import InvalidInputError, TwindexError, shown

T = TypeVar("T")

_METHODS = ("add", "count", "delete", "delete_where", "documents", "search")
"""Methods of a collection that the adapters call."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a method of a collection or of a client."""

    method: str
    arguments: tuple[Any, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


Steps = Generator[Call, Any, T]
"""An operation: a generator that yields calls and returns a result of type T."""


def check_collection(value: Any) -> Any:
    """Return the value if it is a collection. Raises InvalidInputError for another value."""
    if isinstance(value, type) or not all(callable(getattr(value, m, None)) for m in _METHODS):
        raise InvalidInputError(
            "must be a twindex.Collection, or a collection of Client or AsyncClient, got "
            f"{shown(value)}",
            field="collection",
        )
    return value


def is_async(target: Any, method: str = "search") -> bool:
    """Return True if the method of a collection or client is a coroutine function."""
    return inspect.iscoroutinefunction(getattr(target, method, None))


def run(target: Any, steps: Steps[T]) -> T:
    """Run an operation on a collection or client whose methods block.

    Raises InvalidInputError for a collection or client of `AsyncClient`.
    """
    result: Any = None
    error: TwindexError | None = None
    try:
        while True:
            call = steps.send(result) if error is None else steps.throw(error)
            result = error = None
            if is_async(target, call.method):
                steps.close()
                raise InvalidInputError(
                    f"{type(target).__name__} has only asynchronous methods; call the asynchronous "
                    "method of the adapter, or use Client instead of AsyncClient"
                )
            try:
                result = getattr(target, call.method)(*call.arguments, **call.options)
            except TwindexError as failed:
                error = failed
    except StopIteration as end:
        found: T = end.value
        return found


async def run_async(target: Any, steps: Steps[T]) -> T:
    """Run an operation on a collection or client. Methods that block run in another thread."""
    result: Any = None
    error: TwindexError | None = None
    try:
        while True:
            call = steps.send(result) if error is None else steps.throw(error)
            result = error = None
            method = getattr(target, call.method)
            try:
                if is_async(target, call.method):
                    result = await method(*call.arguments, **call.options)
                else:
                    result = await asyncio.to_thread(method, *call.arguments, **call.options)
            except TwindexError as failed:
                error = failed
    except StopIteration as end:
        found: T = end.value
        return found
