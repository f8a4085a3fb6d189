"""Converts calls to HTTP requests and HTTP responses to replies, for Client and AsyncClient."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

import httpx2

from ..core.errors import InvalidInputError, ServiceError, TwindexError, UnavailableError, shown
from ..core.sse import MEDIA_TYPE
from . import arguments
from .calls import Call, Reply
from .failures import FIRST_CONTACT, Failure, failure_of
from .signing import HEADER

DEFAULT_URL = "http://127.0.0.1:8080"
_SENDABLE = {"http", "https"}
_KEY = re.compile(r"[\x21-\x7e]+")
_HEADER = re.compile(r"[\x20-\x7e]*[\x21-\x7e]")


def options(
    url: str,
    api_key: str | None,
    timeout: float,
    patience: float,
    headers: Mapping[str, str] | None,
    signed_filter: str | Callable[[], str] | None = None,
) -> dict[str, Any]:
    """Check the options of a client, and return them as arguments of `httpx2.Client`.

    Proxies and credentials in the environment are ignored, so requests are sent only to the URL.
    Raises InvalidInputError for an invalid option.
    """
    try:
        base = httpx2.URL(arguments.checked_text(url, "url"))
    except httpx2.InvalidURL as error:
        raise InvalidInputError(f"is not a valid URL ({error})", field="url") from None
    if base.userinfo:
        raise InvalidInputError(
            "must not contain a user name or password; use `api_key`", field="url"
        )
    if base.scheme not in _SENDABLE or not base.host or base.query or base.fragment:
        raise InvalidInputError(
            f"must consist of http:// or https://, a host and optionally a path, got {url!r}",
            field="url",
        )
    own = dict(headers or {})
    for name, value in own.items():
        if not all(isinstance(one, str) and _HEADER.fullmatch(one) for one in (name, value)):
            raise InvalidInputError(
                "the name and the value of a header must be strings of printable ASCII characters",
                field=f"headers.{name}",
            )
    for name, seconds, least in (("timeout", timeout, 1e-3), ("patience", patience, 0)):
        if not isinstance(seconds, int | float) or not least <= seconds < 1e9:
            raise InvalidInputError(
                f"must be at least {least:g} and below 1e9 seconds, got {shown(seconds)}",
                field=name,
            )
    if api_key is not None:
        if not isinstance(api_key, str) or not _KEY.fullmatch(api_key):
            raise InvalidInputError(
                "must be a non-empty string of printable ASCII characters without spaces",
                field="api_key",
            )
        own["Authorization"] = f"Bearer {api_key}"
    found = {"base_url": base, "timeout": timeout, "headers": own, "trust_env": False}
    return found if signed_filter is None else {**found, "auth": _signing(signed_filter)}


def _signing(signed_filter: str | Callable[[], str]) -> Callable[[httpx2.Request], httpx2.Request]:
    """Return a function that adds the header with the signed filter to a request."""
    if not isinstance(signed_filter, str) and not callable(signed_filter):
        raise InvalidInputError(
            "must be the result of `sign_filter`, or a function that returns it",
            field="signed_filter",
        )

    def sign(request: httpx2.Request) -> httpx2.Request:
        value = signed_filter if isinstance(signed_filter, str) else signed_filter()
        request.headers[HEADER] = value
        return request

    return sign


def sent(call: Call) -> dict[str, Any]:
    """Return the arguments of `httpx2.Client.request` for a call."""
    headers, content = dict(call.headers), call.lines
    if content is not None:
        headers["Content-Type"] = "application/x-ndjson"
    elif call.body is not None:
        try:
            arguments.check_json(call.body)
            content = arguments.as_json(call.body)
        except (TypeError, ValueError) as error:
            raise InvalidInputError(f"the request cannot be written as JSON ({error})") from None
        headers["Content-Type"] = "application/json"
    # A program that uses OpenTelemetry has imported it. Its current span is the parent.
    if (propagate := sys.modules.get("opentelemetry.propagate")) is not None:
        propagate.inject(headers)
    return {
        "method": call.method,
        "url": call.path,
        "content": content,
        "params": call.params,
        "headers": headers,
    }


def check(response: httpx2.Response) -> None:
    """Raise Failure for an HTTP response that is not successful.

    response: a response whose body has been read.
    """
    if response.status_code >= 300:
        raise failure_of(response.status_code, response.headers, response.content)


def reply(response: httpx2.Response, *, retried: bool) -> Reply:
    """Return a successful HTTP response as a Reply. Raises ServiceError if it is not JSON."""
    try:
        value = json.loads(response.content) if response.content else None
    except ValueError:
        raise ServiceError(
            f"the reply from {response.url.host} is not JSON; check the URL"
        ) from None
    return Reply(response.status_code, value, retried)


def check_stream(response: httpx2.Response) -> None:
    """Raise ServiceError for a successful response that is not a stream of events."""
    kind = response.headers.get("content-type", "nothing")
    if not kind.startswith(MEDIA_TYPE):
        raise ServiceError(
            f"the reply from {response.url.host} is {kind}, not {MEDIA_TYPE}; check the URL"
        )


def unreachable(base: object, error: Exception, *, reached: bool) -> Failure:
    """Return the Failure for a broken connection to the URL `base`.

    The failure is temporary, unless the request is invalid and can never be sent.

    If the first connection of a client is refused, the URL is probably wrong. The failure is then
    retried for `FIRST_CONTACT` seconds only.

    reached: True if an earlier request of the client got a reply.
    """
    if isinstance(error, httpx2.LocalProtocolError | httpx2.UnsupportedProtocol):
        return Failure(ServiceError(f"the request cannot be sent: {type(error).__name__}"), False)
    what = str(error) or type(error).__name__
    failed = UnavailableError(
        f"no reply from {base}: {what}; check the URL, and that `twindex serve` runs there"
    )
    first = isinstance(error, httpx2.ConnectError) and not reached
    return Failure(failed, True, patience=FIRST_CONTACT if first else None)


def unusable(error: Exception) -> TwindexError:
    """Return the exception for a URL that is too long, or for a reply with unexpected content."""
    if isinstance(error, httpx2.InvalidURL):
        return InvalidInputError(f"an id or filter is too long for a URL ({error}); shorten it")
    return ServiceError(
        f"the reply has unexpected content ({type(error).__name__}: {error}); "
        "check that client and service have the same version"
    )
