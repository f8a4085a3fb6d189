"""Errors in the form of OpenAI's interface."""

from __future__ import annotations

from .schemas import FieldError, ProblemDetails
from .shape import Shape


class OpenAIError(Shape):
    """An error object.

    message: what went wrong, in words.
    type:    kind of error, such as "invalid_request_error".
    param:   path of the first invalid field; null if no field is invalid.
    code:    kind of error, a stable word that programs can test.
    request_id: id of the request, which logs contain too.
    errors:  the invalid fields of the request.
    """

    message: str
    type: str
    param: str | None
    code: str | None
    request_id: str
    errors: list[FieldError]


class OpenAIErrorReply(Shape):
    """The reply to a request that failed.

    error: the error.
    """

    error: OpenAIError


class ModelProblem(ProblemDetails):
    """An error, as in RFC 9457, which OpenAI's clients read too.

    error: the same error in the form of OpenAI's interface.
    """

    error: OpenAIError
