"""Operations of the client, each as a generator of HTTP calls.

A generator yields a `Call` and receives its `Reply`, or yields a `Pause`. It returns the result of
the operation. The blocking and the asyncio client run the same generators and send their calls.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

from ..core.errors import ConflictError, InvalidInputError, NotFoundError, ServiceError, shown
from ..core.progress import NoProgress, Progress
from ..core.results import Reconfigured, SearchResult, WriteReport
from ..core.sse import MEDIA_TYPE
from ..core.types import Document
from . import arguments, replies
from .batches import Batch
from .followed import Followed
from .replies import CollectionState, Job, Reranked

T = TypeVar("T")

_LINE = re.compile(r"(?:^|(?<=; ))lines\[(\d+)\]")
"""Matches `lines[N]` in an error about a batch of documents. N is the position of a line, from 0.
"""
POLL_SECONDS = 0.2
"""Seconds between two requests for the state of a job."""
LISTED = 1_000
"""Maximum number of documents in a page."""


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request.

    body:   value to send as JSON.
    lines:  NDJSON to send instead of `body`; None: `body` is sent.
    params: query parameters of the URL.
    """

    method: str
    path: str
    body: Any = None
    lines: bytes | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pause:
    """An instruction for the client to wait before the next call."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful reply: its HTTP status, and the value of its JSON body.

    retried: True if an earlier attempt of the call failed. That attempt may have had an effect.
    """

    status: int
    value: Any
    retried: bool = False


Steps = Generator[Call | Pause, Any, T]
"""An operation of the client: a generator that yields HTTP calls and returns a result of type T."""


def as_json(value: Any) -> Any:
    """Return a configuration or request as a JSON value.

    A mapping is returned unchanged. A Twindex configuration becomes a dictionary of the fields that
    its creator set explicitly.
    """
    dump = getattr(value, "model_dump", None)
    return value if dump is None else dump(mode="json", exclude_unset=True)


# -- collections -------------------------------------------------------------------------


def create(name: str, config: Any) -> Steps[None]:
    # PUT accepts an existing collection, as `open_or_create` needs it, so look for one first.
    try:
        yield Call("GET", arguments.collection(name))
    except NotFoundError:
        reply = yield from _put(name, config)
        if reply.status == 201 or reply.retried:
            return  # Else another client has created it meanwhile.
    raise ConflictError(f"the collection {name!r} already exists; open it or choose another name")


def _put(name: str, config: Any) -> Steps[Reply]:
    reply: Reply = yield Call("PUT", arguments.collection(name), body=as_json(config))
    return reply


def open_(name: str) -> Steps[None]:
    yield Call("GET", arguments.collection(name))


def open_or_create(name: str, config: Any) -> Steps[None]:
    if config is None:
        try:
            yield from open_(name)
            return
        except NotFoundError:
            pass
    yield from _put(name, config)


def collections() -> Steps[list[CollectionState]]:
    reply = yield Call("GET", "/v1/collections")
    return [CollectionState(**one) for one in reply.value["collections"]]


def drop(name: str) -> Steps[None]:
    yield Call("DELETE", arguments.collection(name))


def info(name: str) -> Steps[dict[str, Any]]:
    reply = yield Call("GET", arguments.collection(name))
    return dict(reply.value)


def merge(name: str, progress: Progress | None = None) -> Steps[bool]:
    job = yield from _job(f"{arguments.collection(name)}/merge", None, progress)
    return bool(job.result["merged"])


def reconfigure(
    name: str, legs: Mapping[str, Any], progress: Progress | None = None
) -> Steps[Reconfigured]:
    given = arguments.mapping(legs, "legs")
    body = {"legs": {leg: as_json(storage) for leg, storage in given.items()}}
    job = yield from _job(f"{arguments.collection(name)}/reconfigure", body, progress)
    return Reconfigured(bool(job.result["changed"]), tuple(job.result["warnings"]))


def _job(path: str, body: Any, progress: Progress | None) -> Steps[Job]:
    """Start a job, wait until it is done and return it."""
    reporter = arguments.progress(progress)
    reply = yield Call("POST", path, body=body, headers=_once())
    return (yield from wait(replies.job(reply.value).id, reporter))


def _once() -> dict[str, str]:
    """Return a header with a new idempotency key.

    The service executes calls with the same key only once, so a call can be retried.
    """
    return {"Idempotency-Key": uuid4().hex}


# -- documents ---------------------------------------------------------------------------


def bulk(name: str, batch: Batch, params: Mapping[str, str] | None = None) -> Steps[WriteReport]:
    """Write a batch of documents. If a document is invalid, none is written.

    name:   name of the collection.
    params: query parameters of the HTTP request. None: no parameters for a batch of a single
            document, {"on_error": "fail"} for other batches.

    Raises InvalidInputError for an invalid document. The error contains the document's position in
    the whole input, from 0.
    """

    def numbered(text: str) -> str:
        return _LINE.sub(lambda line: f"documents[{batch.first + int(line[1])}]", text)

    # A single document may exceed the size that the service writes at once. A job then writes it.
    if params is None:
        params = {} if batch.documents == 1 else {"on_error": "fail"}
    path = f"{arguments.collection(name)}/documents/bulk"
    try:
        reply = yield Call("POST", path, lines=batch.lines, params=params, headers=_once())
    except InvalidInputError as error:
        if error.field == "on_error":  # The service allows fewer lines at once, so it needs a job.
            return (yield from bulk(name, batch, {}))
        raise InvalidInputError(
            numbered(error.message), field=None if error.field is None else numbered(error.field)
        ) from None
    if reply.status == 202:
        result = (yield from wait(replies.job(reply.value).id)).result
        failed = result["errors"]
    else:
        result = reply.value
        failed = [item["error"] for item in result["items"] if "error" in item]
    for wrong in failed:
        field_ = wrong.get("field")
        path = f"documents[{batch.first + wrong['line'] - 1}]" + (f".{field_}" if field_ else "")
        raise InvalidInputError(str(wrong["detail"]).removeprefix(f"{field_}: "), field=path)
    return replies.write_report(result)


def get(name: str, id: str, as_of: int | str | None) -> Steps[Document]:  # noqa: A002
    path = f"{arguments.collection(name)}/documents/{arguments.identifier(id)}"
    reply = yield Call("GET", path, params={} if as_of is None else {"as_of": str(as_of)})
    return replies.document(reply.value)


def _page(
    name: str,
    after: str | None,
    limit: int,
    filter: Mapping[str, Any] | None,  # noqa: A002
) -> Steps[Any]:
    params: dict[str, Any] = {"limit": limit}
    if after is not None:
        params["after"] = arguments.checked_text(after, "after")
    if filter is not None:
        params["filter"] = arguments.as_text(arguments.mapping(filter, "filter"), "filter")
    reply = yield Call("GET", f"{arguments.collection(name)}/documents", params=params)
    return reply.value


def page(
    name: str,
    after: str | None,
    limit: int,
    filter: Mapping[str, Any] | None,  # noqa: A002
) -> Steps[list[Document]]:
    """Return one page of documents: at most `limit`, and never more than `LISTED`."""
    found = yield from _page(name, after, min(limit, LISTED), filter)
    return [replies.document(one) for one in found["documents"]]


def documents(
    name: str,
    after: str | None,
    limit: int,
    filter: Mapping[str, Any] | None,  # noqa: A002
) -> Steps[list[Document]]:
    arguments.positive_integer(limit, "limit")
    found: list[Document] = []
    while len(found) < limit and (
        more := (yield from page(name, after, limit - len(found), filter))
    ):
        found += more
        after = found[-1].id
    return found


def count(name: str, filter: Mapping[str, Any] | None) -> Steps[int]:  # noqa: A002
    found = yield from _page(name, None, 1, filter)
    return int(found["total"])


# -- search ------------------------------------------------------------------------------


def search(name: str, request: Any, fields: Mapping[str, Any]) -> Steps[SearchResult]:
    body = given(request, fields, "query")
    reply = yield Call("POST", f"{arguments.collection(name)}/search", body=plain_request(body))
    return replies.search_result(reply.value)


def answer(name: str, request: Any, fields: Mapping[str, Any]) -> Call:
    """Return the call that asks a question. Its reply is a stream of events."""
    body = {key: _plain(value) for key, value in given(request, fields, "question").items()}
    if isinstance(body.get("search"), Mapping):
        body["search"] = plain_request(body["search"])
    body["stream"] = True
    path = f"{arguments.collection(name)}/answer"
    return Call("POST", path, body=body, headers={"Accept": MEDIA_TYPE})


def given(request: Any, fields: Mapping[str, Any], text: str) -> dict[str, Any]:
    """Return the fields of a request as a dictionary.

    request: a string, a request object, a mapping, or None.
    fields:  further fields of the request.
    text:    name of the field for a `request` that is a string, such as "query".
    """
    if request is None and fields:
        return dict(fields)
    if isinstance(request, str):
        return {text: request, **fields}
    if fields:
        raise InvalidInputError(
            "cannot be combined with a request object; set it inside the request, or pass the "
            f"{text} as a string",
            field=next(iter(fields)),
        )
    return arguments.mapping(as_json(request), "request")


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [as_json(one) for one in value]
    return as_json(value)


def plain_request(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON form of a search request."""
    body = {key: _plain(value) for key, value in fields.items()}
    if "vectors" in body:
        body["vectors"] = arguments.vectors(body["vectors"])
    return body


def _one_request(request: Any) -> Any:
    """Return the JSON form of one request of a batch.

    A value of another type is sent unchanged, and the service refuses it.
    """
    given = {"query": request} if isinstance(request, str) else as_json(request)
    return plain_request(given) if isinstance(given, Mapping) else _plain(given)


def search_batch(name: str, requests: Sequence[Any]) -> Steps[list[SearchResult]]:
    if isinstance(requests, str | Mapping) or not isinstance(requests, Sequence):
        raise InvalidInputError(
            f"must be a list of requests, got {shown(requests)}", field="requests"
        )
    body = {"requests": [_one_request(request) for request in requests]}
    reply = yield Call("POST", f"{arguments.collection(name)}/search/batch", body=body)
    return [replies.search_result(one) for one in reply.value["results"]]


# -- the service -------------------------------------------------------------------------


def rerank(
    model: str, query: str, documents: Sequence[str | Mapping[str, str]], options: Mapping[str, Any]
) -> Steps[list[Reranked]]:
    if isinstance(documents, str | Mapping) or not isinstance(documents, Sequence):
        raise InvalidInputError(
            f"must be a list of texts, got {shown(documents)}", field="documents"
        )
    body = {"model": model, "query": query, "documents": list(documents), **options}
    reply = yield Call("POST", "/v1/rerank", body=body)
    return [replies.reranked(one) for one in reply.value["results"]]


def jobs() -> Steps[list[Job]]:
    reply = yield Call("GET", "/v1/jobs")
    return [replies.job(one) for one in reply.value["jobs"]]


def job(id: str) -> Steps[Job]:  # noqa: A002
    reply = yield Call("GET", f"/v1/jobs/{arguments.identifier(id)}")
    return replies.job(reply.value)


def wait(id: str, progress: Progress | None = None) -> Steps[Job]:  # noqa: A002
    """Wait until a job is done and return it. Raises ServiceError if it failed.

    progress: receives the number of finished units, whenever the state of the job is read.
    """
    reporter = Followed(progress or NoProgress())
    while True:
        found = yield from job(id)
        reporter.follow(found)
        if found.state == "failed":
            raise ServiceError(f"the job {id!r} ({found.kind}) failed: {found.error}")
        if found.state == "done":
            return found
        yield Pause(POLL_SECONDS)
