"""Reads the replies of an OpenAI-compatible server and checks every field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from ...core import ModelError, Usage
from ..protocol import Finish

T = TypeVar("T")
_FINISHES: Mapping[str, Finish] = {"stop": "stop", "length": "length"}


def pick(url: str, reply: Any, *path: str | int, kind: type[T]) -> T:
    """Return the value at a path through the objects and lists of a reply.

    url:  address of the server, for errors.
    path: keys and positions, such as "choices", 0, "text".
    kind: type of the value.

    Raises ModelError if there is no value at the path, or if the value has another type.
    """
    value = reply
    where = ""
    for step in path:
        where += f"[{step}]" if isinstance(step, int) else f".{step}"
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            raise ModelError(
                f"{url} sent a reply that has no {where.lstrip('.')}; check that the server is "
                "compatible with the OpenAI API"
            ) from None
    if not isinstance(value, kind):
        wrong = f"must be {kind.__name__}, got {type(value).__name__}"
        raise ModelError(
            f"{url}: {where.lstrip('.')} of the reply {wrong}; check that the server is compatible "
            "with the OpenAI API"
        )
    return value


def text(url: str, reply: Any, *path: str | int) -> str:
    """Return the text at a path through the objects and lists of a reply. See `pick`.

    Raises ModelError if there is no text, or if the text contains half of a surrogate pair, which
    JSON allows.
    """
    value = pick(url, reply, *path, kind=str)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ModelError(f"{url}: {path[-1]} of the reply is not valid Unicode") from None
    return value


def finish(url: str, choice: Mapping[str, Any]) -> Finish:
    """Return why a generated text ended. Raises ModelError unless it is "stop" or "length"."""
    reason = pick(url, choice, "finish_reason", kind=str)
    if reason not in _FINISHES:
        raise ModelError(
            f"{url}: `finish_reason` of the reply must be 'stop' or 'length', got {reason!r}"
        )
    return _FINISHES[reason]


def usage(url: str, reply: Mapping[str, Any]) -> Usage:
    """Return the token counts in a reply. Counts that the reply does not contain are 0."""
    if reply.get("usage") is None:
        return Usage()
    counts = pick(url, reply, "usage", kind=dict)
    details = counts.get("prompt_tokens_details")
    cached = details if isinstance(details, dict) else {}
    return Usage(
        prompt_tokens=_count(url, counts, "prompt_tokens"),
        cached_tokens=_count(url, cached, "cached_tokens"),
        completion_tokens=_count(url, counts, "completion_tokens"),
    )


def _count(url: str, counts: Mapping[str, Any], name: str) -> int:
    value = counts.get(name)
    if value is None:
        return 0
    if type(value) is not int or value < 0:
        raise ModelError(f"{url}: {name} of the reply must be an integer >= 0, got {value!r:.40}")
    return value
