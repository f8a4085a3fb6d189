"""Checks of the arguments of `Collection`'s methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast, get_args

from ..core import Config, ConfigError, InvalidInputError
from ..core import arguments as is_
from ..core.arguments import Check, optional, refused
from ..core.bounds import Bounds
from ..index import CollectionConfig, VectorStorage, Verify
from .answering.generators import GeneratorRegistry
from .answering.request import AnswerRequest
from .arranging.completing import CompleteRequest
from .finding.rerankers import RerankerRegistry
from .finding.rewriters import RewriterRegistry
from .request import SearchRequest

PAGE = Bounds(1, 1_000_000)
"""Bounds of `limit`, the maximum number of documents or fields that one call returns."""

LIMIT: Check = is_.integer(PAGE)

_SHARED: dict[str, Check] = {
    "path": is_.path,
    "encoders": is_.function("a function from an encoder's configuration to an encoder"),
    "rerankers": optional(is_.instance(RerankerRegistry, "a RerankerRegistry")),
    "generators": optional(is_.instance(GeneratorRegistry, "a GeneratorRegistry")),
    "rewriters": optional(is_.instance(RewriterRegistry, "a RewriterRegistry")),
}


def list_of(wanted: str, check: Check) -> Check:
    """Return a check that applies `check` to each item of a list.

    The returned check rejects a string, because its characters would otherwise be the items.

    wanted: description of the list for the error, such as "a list of names".
    """

    def each(value: object, name: str) -> None:
        if isinstance(value, str | bytes) or not isinstance(value, Sequence):
            raise refused(value, name, wanted)
        for i, one in enumerate(value):
            check(one, f"{name}[{i}]")

    return each


names = list_of("a list of names", is_.text)
requests = list_of(
    "a list of requests",
    is_.instance(str | SearchRequest | Mapping, "a text, a mapping or a SearchRequest"),
)

CREATE: dict[str, Check] = {
    **_SHARED,
    "config": optional(is_.instance(CollectionConfig, "a CollectionConfig")),
}
OPEN: dict[str, Check] = {
    **_SHARED,
    "read_only": is_.flag,
    "verify": is_.choice(*get_args(Verify)),
    "models": names,
}
PROGRESS: dict[str, Check] = {"progress": optional(is_.progress)}
ADD: dict[str, Check] = {"documents": is_.documents, **PROGRESS}
EXPORT: dict[str, Check] = {"path": is_.path, **PROGRESS}
IDS: dict[str, Check] = {"ids": is_.ids}


def as_of(value: object, name: str) -> None:
    """Raise InvalidInputError unless `value` is None, a number of a commit or a text."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | str)):
        raise refused(value, name, 'the number of a commit, or a time such as "2026-05-04T12:00Z"')


GET: dict[str, Check] = {"id": is_.text, "as_of": as_of}
DELETE_WHERE: dict[str, Check] = {"filter": is_.condition}
COUNT: dict[str, Check] = {"filter": optional(is_.condition)}
DOCUMENTS: dict[str, Check] = {
    "after": optional(is_.text),
    "limit": is_.integer(PAGE),
    "most_bytes": optional(is_.integer(is_.MEMORY)),
    "as_of": as_of,
    **COUNT,
}


def storages(value: object, name: str) -> None:
    """Raise InvalidInputError unless `value` is a mapping from leg names to VectorStorage."""
    wanted = 'a mapping such as {"dense": VectorStorage(...)}'
    if not isinstance(value, Mapping):
        raise refused(value, name, wanted)
    for leg, storage in value.items():
        if not isinstance(leg, str):
            raise refused(leg, name, wanted)
        if not isinstance(storage, VectorStorage):
            raise refused(storage, f"{name}.{leg}", "a VectorStorage, such as a leg's `storage`")


RECONFIGURE: dict[str, Check] = {
    "legs": storages,
    "memory": optional(is_.integer(is_.MEMORY)),
    **PROGRESS,
}


RATE = Bounds(1_024, 1 << 50)
"""Bounds of `rate`, in bytes per second."""
SNAPSHOT: dict[str, Check] = {
    "target": is_.path,
    "keep": optional(is_.integer(Bounds(1, 1_000_000))),
    "rate": optional(is_.integer(RATE)),
    **PROGRESS,
}
RESTORE: dict[str, Check] = {
    "target": is_.path,
    "path": is_.path,
    "snapshot": optional(is_.text),
    "rate": optional(is_.integer(RATE)),
    **PROGRESS,
}


REPOINT: dict[str, Check] = {"path": is_.path, "model": is_.path, "legs": optional(names)}


R = TypeVar("R", bound=Config)


def request(value: object, fields: Mapping[str, Any]) -> SearchRequest:
    """Return a SearchRequest for the arguments of `Collection.search`.

    value:  the argument `request`: a SearchRequest, a mapping with its fields, or the query text.
            None: a search without a text; its vectors are in `fields`.
    fields: other fields of the request; accepted only if `value` is the query text or None.
    """
    return parsed(value, fields, SearchRequest, "query")


def answer_request(value: object, fields: Mapping[str, Any]) -> AnswerRequest:
    """Return the AnswerRequest for the arguments of `Collection.answer`.

    value:  the argument `request`: an AnswerRequest, a mapping with its fields, or the question.
    fields: the other keyword arguments; accepted only if `value` is the question.
    """
    return parsed(value, fields, AnswerRequest, "question")


def complete_request(value: object, fields: Mapping[str, Any]) -> CompleteRequest:
    """Return the CompleteRequest for the arguments of `Collection.complete`."""
    return parsed(value, fields, CompleteRequest, "text")


def parsed(value: object, fields: Mapping[str, Any], kind: type[R], text: str) -> R:
    """Return the arguments `value` and `fields` as a request of the class `kind`.

    text: name of the field that `value` sets if it is a string.
    """
    if value is None and fields:
        return kind.parse(fields)
    if isinstance(value, str):
        return kind.parse({**fields, text: value})
    given = value if isinstance(value, kind) else None
    if given is None and not isinstance(value, Mapping):
        article = "an" if kind.__name__.startswith("A") else "a"
        raise refused(value, "request", f"a text, a mapping or {article} {kind.__name__}")
    if fields:
        raise InvalidInputError(
            "cannot be combined with a request object; set it inside the request, or pass the "
            f"{text} as a string",
            field=next(iter(fields)),
        )
    if given is not None:
        return given
    try:
        return kind.parse(cast(Mapping[str, Any], value))
    except ConfigError as error:
        field = error.field or ""
        place = f"request{field}" if field[:1] in ("", "[") else field
        raise ConfigError(error.message, field=place) from None


def guard(value: object, name: str) -> None:
    """Raise InvalidInputError unless `value` is a Guard, that is, has a method `check`."""
    if not callable(getattr(value, "check", None)):
        raise refused(value, name, "a Guard")
