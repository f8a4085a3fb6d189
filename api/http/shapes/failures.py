"""Errors in the form of OpenAI's interface."""

from __future__ import annotations

from typing import Literal

from .schemas import FieldError, ProblemDetails
from .shape import Shape

TeiErrorType = Literal["Validation", "Overloaded", "Unhealthy", "Backend"]
"""Kinds of errors of text-embeddings-inference."""


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


class CohereProblem(ProblemDetails):
    """An error, as in RFC 9457, which Cohere's clients read too.

    id:      id of the request, which logs contain too.
    message: what went wrong, in words.
    """

    id: str
    message: str


class TeiProblem(ProblemDetails):
    """An error, as in RFC 9457, which clients of text-embeddings-inference read too.

    error:      what went wrong, in words.
    error_type: "Validation", "Overloaded", "Unhealthy" or "Backend".
    """

    error: str
    error_type: TeiErrorType


class ModelProblem(ProblemDetails):
    """An error, as in RFC 9457, which OpenAI's clients read too.

    error: the same error in the form of OpenAI's interface.
    """

    error: OpenAIError
