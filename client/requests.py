"""Calls as HTTP requests, and responses as replies: what both clients share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx2

from ..core.errors import InvalidInputError, UnavailableError
from . import arguments
from .calls import Call, Reply
from .failures import Failure, failure_of

DEFAULT_URL = "http://127.0.0.1:8080"
_SENDABLE = {"http", "https"}


def options(
    url: str, api_key: str | None, timeout: float, headers: Mapping[str, str] | None
) -> dict[str, Any]:
    """Arguments of `httpx2.Client`. Raises InvalidInputError for a URL that is none.

    Proxies and keys of the environment are not used: only the URL says where requests go.
    """
    try:
        base = httpx2.URL(arguments.checked_text(url, "url"))
    except httpx2.InvalidURL as error:
        raise InvalidInputError(f"is no URL: {error}", field="url") from None
    if base.scheme not in _SENDABLE or not base.host:
        raise InvalidInputError(f"must begin with http:// or https://, got {url!r}", field="url")
    own = dict(headers or {})
    if api_key is not None:
        if not isinstance(api_key, str) or not api_key.isascii() or not api_key.isprintable():
            raise InvalidInputError("must be a text of visible ASCII", field="api_key")
        own["Authorization"] = f"Bearer {api_key}"
    return {"base_url": base, "timeout": timeout, "headers": own, "trust_env": False}


def sent(call: Call) -> dict[str, Any]:
    """Arguments of `httpx2.Client.request`."""
    headers, content = dict(call.headers), call.lines
    if content is not None:
        headers["Content-Type"] = "application/x-ndjson"
    elif call.body is not None:
        try:
            content = json.dumps(call.body, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise InvalidInputError(f"the request cannot be written as JSON: {error}") from None
        headers["Content-Type"] = "application/json"
    return {
        "method": call.method,
        "url": call.path,
        "content": content,
        "params": call.params,
        "headers": headers,
    }


def reply(response: httpx2.Response) -> Reply:
    """Raises Failure for a response that is an error."""
    if response.status_code >= 300:
        raise failure_of(response.status_code, response.headers, response.content)
    return Reply(response.status_code, json.loads(response.content) if response.content else None)


def unreachable(base: object, error: Exception) -> Failure:
    """What a broken connection means: the call is sent again."""
    what = str(error) or type(error).__name__
    return Failure(UnavailableError(f"no reply from {base}: {what}"), True)
