"""Errors as RFC 9457 problem details: `{type, title, status, detail, code, request_id, errors}`.

With traces, a problem also has the `trace_id` of the request.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match

from ...core import (
    Config,
    ConflictError,
    GoneError,
    InvalidInputError,
    MissingExtraError,
    ModelError,
    NotFoundError,
    PreconditionFailedError,
    StorageError,
    TimeLimitError,
    TwindexError,
)
from ...core.bounds import TEXTS
from ...core.config import field_path, invalid_fields, message_of
from ...core.errors import shown
from ...core.trace.spans import trace_id

MEDIA_TYPE = "application/problem+json"

ConfigT = TypeVar("ConfigT", bound=Config)

_STATUS: tuple[tuple[type[TwindexError], int], ...] = (
    (InvalidInputError, 422),
    (TimeLimitError, 504),
    (GoneError, 410),
    (NotFoundError, 404),
    (PreconditionFailedError, 412),
    (ConflictError, 409),
    (ModelError, 503),
    (MissingExtraError, 503),
    (StorageError, 503),
)

_CODES = {
    400: "malformed",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    410: "gone",
    412: "precondition_failed",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    429: "too_many_requests",
    500: "internal",
    503: "not_ready",
    504: "deadline",
}


_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG)
"""Error numbers of a full, read-only or failing disk. Others are faults of the program."""

_DOCUMENTS = re.compile(r"/v1/collections/[^/]+/documents")


class Problem(Exception):  # noqa: N818 - the word of RFC 9457
    """An error reply of the REST interface.

    status: HTTP status.
    detail: what went wrong, in words.
    code:   kind of error, a stable word that programs can test; None: the default of the status.
    errors: invalid fields, each as `{"field": ..., "message": ...}`.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        code: str | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.code = code or _CODES[status]
        self.errors = list(errors)
        self.headers = dict(headers or {})

    def body(self, request_id: str) -> bytes:
        """Return the reply's body: problem details in JSON."""
        return orjson.dumps(
            {
                "type": f"urn:twindex:problem:{self.code}",
                "title": HTTPStatus(self.status).phrase,
                "status": self.status,
                "detail": self.detail,
                "code": self.code,
                "request_id": request_id,
                "errors": self.errors,
                **({} if (trace := trace_id()) is None else {"trace_id": trace}),
            },
            option=orjson.OPT_NON_STR_KEYS,
        )

    def response(self, request_id: str, shape: ErrorShape | None = None) -> Response:
        """Return the HTTP response. shape: makes its body; None: the body is problem details."""
        status, body, media_type = self.rendered(request_id, shape)
        return Response(body, status, headers=self.headers, media_type=media_type)

    def rendered(self, request_id: str, shape: ErrorShape | None) -> tuple[int, bytes, str]:
        """Return (status, body, media type) of the HTTP response; see `response`."""
        if shape is not None:
            return shape(self, request_id)
        return self.status, self.body(request_id), MEDIA_TYPE


class UnknownPath(Problem):
    """The Problem 404 for a path that has no operation. hint: words that begin with a semicolon."""

    def __init__(self, hint: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(404, f"no such path{hint}; see /docs for all operations", headers=headers)


ErrorShape = Callable[[Problem, str], tuple[int, bytes, str]]
"""Function that returns (HTTP status, body, media type) of the reply to a problem, for an interface
whose clients expect another body than problem details. Its second argument is the request id."""


class ClientGone(Exception):  # noqa: N818 - an event, no error
    """The client closed the connection before the reply."""


def problem_of(error: Exception, root: Path) -> Problem:
    """Return the Problem for an expected exception. Raises any other exception again.

    root: folder of the collections. Paths in messages become relative to it.
    """
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        # The first part of a location is the kind of parameter: "query", "path".
        return _invalid([(field_path(e["loc"][1:], None), message_of(e)) for e in error.errors()])
    if isinstance(error, TwindexError):
        status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
        detail = str(error).replace(str(root) + os.sep, "")
        errors = []
        if isinstance(error, InvalidInputError) and error.field is not None:
            errors = [{"field": error.field, "message": error.message}]
        headers = {"Retry-After": "5"} if status == 503 else {}
        return Problem(status, detail, code=error.code, errors=errors, headers=headers)
    if isinstance(error, OSError) and error.errno in _DISK:
        detail = f"reading or writing the disk failed: {error.strerror}"
        return Problem(503, detail, code=StorageError.code, headers={"Retry-After": "5"})
    if isinstance(error, HTTPException):
        if error.status_code == 404:
            return UnknownPath(headers=error.headers)
        known = error.status_code if error.status_code in _CODES else 400
        return Problem(
            error.status_code, str(error.detail), code=_CODES[known], headers=error.headers
        )
    raise error


def validate(model: type[ConfigT], value: Any, *, texts: bool = False) -> ConfigT:
    """Convert `value`, which a request contains, to an object of the class `model`.

    Raises Problem 422, with all invalid fields.

    texts: True: also accept numbers that are written as strings, as in the fields of a form.
    """
    try:
        return model.model_validate(value, context=TEXTS if texts else None)
    except ValidationError as error:
        raise _invalid(invalid_fields(error, value)) from None


def _invalid(found: Sequence[tuple[str | None, str]]) -> Problem:
    errors = [
        {"field": field or "", "message": message.removeprefix("Value error, ")}
        for field, message in found
    ]
    first = errors[0]
    detail = f"{first['field']}: {first['message']}" if first["field"] else first["message"]
    return Problem(422, detail, errors=errors)


def invalid_field(field: str, message: str, *, code: str | None = None) -> Problem:
    """Return the Problem 422 for a field. code: see `Problem`."""
    errors = [{"field": field, "message": message}]
    return Problem(422, f"{field}: {message}", code=code, errors=errors)


def unknown_model(message: str) -> Problem:
    """Return the Problem 404 for the name of a model that this server does not have."""
    errors = [{"field": "model", "message": message}]
    return Problem(404, message, code="model_not_found", errors=errors)


async def answer(request: Request, error: Exception) -> Response:
    """Return the error reply for an exception. HANDLERS registers this function with FastAPI."""
    if isinstance(error, ClientGone):
        return Response(status_code=499)  # For the metrics, as in other servers.
    if isinstance(error, HTTPException) and error.status_code == 405:
        problem = _wrong_method(request)
    elif isinstance(error, HTTPException) and error.status_code == 404:
        problem = _unknown_path(request)
    else:
        problem = problem_of(error, request.state.service.root)
    return problem.response(request.state.request_id, request.state.error_shape)


def no_operation(request: Request) -> Problem | None:
    """Return the Problem 404 or 405 if no operation has the path and method of a request."""
    found = {one.matches(request.scope)[0] for one in _routes(request)}
    if Match.FULL in found:
        return None
    return _wrong_method(request) if Match.PARTIAL in found else _unknown_path(request)


def check_chosen(ids: object | None, filter: object | None) -> None:  # noqa: A002
    """Raise Problem 422 unless a request chooses documents either by ids or by a filter."""
    if (ids is None) == (filter is None):
        raise Problem(422, "send exactly one of `ids` and `filter`")


def _routes(request: Request) -> Iterator[BaseRoute]:
    """Yield the routes of the application.

    Some versions of FastAPI keep the routes of an included router in an object of their own.
    """
    for route in request.app.routes:
        router = getattr(route, "original_router", None)
        yield from [route] if router is None else router.routes


def _unknown_path(request: Request) -> Problem:
    """Return the Problem 404 of a path, with a hint if only `/v1` is missing before it.

    The `base_url` of OpenAI's clients ends in `/v1`, which is easily forgotten.
    """
    path, root = request.scope["path"], request.scope.get("root_path", "")
    longer = f"/v1{path.removeprefix(root)}"
    scope = {**request.scope, "path": root + longer}
    found = any(one.matches(scope)[0] is Match.FULL for one in _routes(request))
    return UnknownPath(f"; did you mean {shown(longer)}?" if found else "")


def _wrong_method(request: Request) -> Problem:
    """Return the Problem 405, with the methods that the path supports."""
    allowed: set[str] = set()
    for one in _routes(request):
        if one.matches(request.scope)[0] is not Match.NONE:
            allowed |= getattr(one, "methods", None) or set()
    methods = ", ".join(sorted(allowed))
    detail = f"this path supports {methods}, not {request.method}"
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    if _DOCUMENTS.fullmatch(path):
        detail += (
            f"; to write documents, use PUT {path}/{{id}} for one or POST {path}/bulk for many"
        )
    return Problem(405, detail, headers={"Allow": methods})


HANDLERS: dict[int | type[Exception], Any] = dict.fromkeys(
    (Problem, ClientGone, TwindexError, RequestValidationError, HTTPException, OSError), answer
)
