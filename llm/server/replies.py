"""Reading the replies of an OpenAI-compatible server: each field checked before it is believed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from ...core import ModelError, Usage
from ..protocol import Finish

T = TypeVar("T")
_FINISHES: Mapping[str, Finish] = {"stop": "stop", "length": "length"}


def pick(url: str, reply: Any, *path: str | int, kind: type[T]) -> T:
    """The value at a path through objects and lists. Raises ModelError if it is not of a kind."""
    value = reply
    place = ""
    for step in path:
        place += f"[{step}]" if isinstance(step, int) else f".{step}"
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            raise ModelError(f"{url}: the reply has no {place.lstrip('.')}") from None
    if not isinstance(value, kind):
        wrong = f"{place.lstrip('.')} of the reply is {type(value).__name__}, not {kind.__name__}"
        raise ModelError(f"{url}: {wrong}")
    return value


def text(url: str, reply: Any, *path: str | int) -> str:
    """The text at a path. JSON can hold half a surrogate pair, which is no text: a ModelError."""
    value = pick(url, reply, *path, kind=str)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ModelError(f"{url}: {path[-1]} of the reply is not Unicode") from None
    return value


def finish(url: str, choice: Mapping[str, Any]) -> Finish:
    """Why the text ended; anything but an end or the limit is a ModelError."""
    reason = pick(url, choice, "finish_reason", kind=str)
    if reason not in _FINISHES:
        raise ModelError(f"{url}: the text was ended by {reason!r}")
    return _FINISHES[reason]


def usage(url: str, reply: Mapping[str, Any]) -> Usage:
    """The server's counts of tokens, zero where it gives none."""
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
        raise ModelError(f"{url}: {name} of the reply is {value!r:.40}, which is no count")
    return value
