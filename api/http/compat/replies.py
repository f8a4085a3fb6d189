"""The error replies of an operation in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

_MEANING = {
    400: "Malformed request, or an invalid or unsupported field",
    401: "Missing or wrong API key",
    403: "Request from a page of another site, or for an unknown host",
    404: "No such model or collection",
    409: "Conflict with the current state",
    413: "Body too large",
    415: "Wrong content type",
    422: "A field is invalid or not supported",
    429: "Too many requests are waiting",
    503: "Not ready or overloaded, or a model failed",
    504: "The request took longer than the server allows",
}


def failures(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route for all error statuses. model: shape of an error."""
    return {
        status: {"model": model, "description": meaning} for status, meaning in _MEANING.items()
    }
