"""An HTTP client that sends and receives JSON, and raises HttpError for every failure."""

from __future__ import annotations

import json
import time
import weakref
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx2

from ...core import ConfigError, InvalidInputError, ModelError
from ...core.sse import MEDIA_TYPE, events
from ...core.trace.spans import Attributes, span, trace_headers

TEMPORARY = frozenset({429, 500, 502, 503, 504})
"""HTTP status codes of failures for which a retry may succeed."""

BACKOFF = 0.5
"""Seconds before the first retry. The pause doubles before each further retry."""

LARGEST = 64 << 20
"""Maximum size of a reply, in bytes."""

_SHOWN = 300
T = TypeVar("T")


class HttpError(ModelError):
    """An HTTP request failed.

    status:    HTTP status code of an error reply. None if there was no reply, or an invalid one.
    temporary: True if a retry may succeed.
    wait:      seconds that the server asks to wait before a retry. 0: it does not say.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        temporary: bool = False,
        wait: float = 0.0,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.temporary = temporary
        self.wait = wait


class JsonClient:
    """A client that sends and receives JSON. Thread-safe. Failures raise HttpError with the URL.

    api_key: API key, sent as a bearer token. It never appears in a message, a log or a repr.
    seconds: time limit of one attempt, from connecting to the last byte of the reply. For a stream,
             the time limit from one piece to the next.
    retries: maximum number of retries if the status is in `TEMPORARY` or the connection fails. The
             pause doubles with each retry; a Retry-After header replaces it. There is no retry
             after a timeout, or if Retry-After exceeds `seconds`.

    Redirects are not followed, so the key is sent only to the given address.
    """

    def __init__(self, *, api_key: str | None, seconds: float, retries: int) -> None:
        headers = {"Content-Type": "application/json"}
        if api_key is not None:
            if not api_key or not all("!" <= character <= "~" for character in api_key):
                raise ConfigError(
                    "must be a non-empty string of printable ASCII characters without spaces",
                    field="api_key",
                )
            headers["Authorization"] = f"Bearer {api_key}"
        self._key = api_key
        self._seconds = seconds
        self._retries = retries
        self._client = httpx2.Client(headers=headers, timeout=seconds)
        weakref.finalize(self, self._client.close)

    def post(self, url: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send a JSON body and return the JSON object of the reply."""

        def attempt() -> bytes:
            deadline = time.monotonic() + self._seconds
            return b"".join(self._pieces(url, self._open(url, body), deadline))

        return self._parsed(url, self._retrying(attempt))

    def stream(self, url: str, body: Mapping[str, Any]) -> Generator[dict[str, Any]]:
        """Send a JSON body and yield the JSON objects of an event stream.

        The stream ends at the event "[DONE]" or at the end of the reply. If a stream fails after
        its first byte, it is not retried.
        """
        response = self._retrying(lambda: self._open(url, body))
        with closing(response):
            kind = response.headers.get("content-type", "nothing")
            if not kind.startswith(MEDIA_TYPE):
                raise HttpError(
                    f"{url} replied with {self._short(kind)} instead of {MEDIA_TYPE}; the "
                    "server must support streaming"
                )
            for event in events(self._pieces(url, response)):
                if event.data == b"[DONE]":
                    return
                yield self._parsed(url, event.data)

    def _retrying(self, attempt: Callable[[], T]) -> T:
        for number in range(self._retries):
            try:
                return attempt()
            except HttpError as error:
                if not error.temporary or error.wait > self._seconds:
                    raise
                time.sleep(error.wait or BACKOFF * 2**number)
        return attempt()

    def _open(self, url: str, body: Mapping[str, Any]) -> httpx2.Response:
        """Send the request and return a successful response. The caller must close it."""
        deadline = time.monotonic() + self._seconds
        try:
            content = json.dumps(body, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise InvalidInputError(
                "a prompt contains half of a surrogate pair; remove it"
            ) from None
        with self._failures_named(url), span("POST", _attributes(url), outgoing=True) as found:
            headers = dict(trace_headers())
            request = self._client.build_request("POST", url, content=content, headers=headers)
            response = self._client.send(request, stream=True)
            found["http.response.status_code"] = response.status_code
        if response.is_success:
            return response
        wait = _seconds(response.headers.get("retry-after", ""))
        if response.is_redirect:
            reason = f"redirects to {response.headers.get('location')}; use that address instead"
        else:
            reason = _message(b"".join(self._pieces(url, response, deadline)))
        pause = f" (retry after {wait:g} s)" if wait else ""
        raise HttpError(
            f"{url} replied with HTTP status {response.status_code}: {self._short(reason)}{pause}",
            status=response.status_code,
            temporary=response.status_code in TEMPORARY,
            wait=wait,
        )

    def _pieces(
        self, url: str, response: httpx2.Response, deadline: float | None = None
    ) -> Iterator[bytes]:
        size = 0
        with closing(response), self._failures_named(url):
            for piece in response.iter_bytes():
                size += len(piece)
                if size > LARGEST:
                    raise HttpError(
                        f"{url} sent a reply larger than {LARGEST >> 20} MiB; check the address"
                    )
                if deadline is not None and time.monotonic() > deadline:
                    raise httpx2.ReadTimeout("")
                yield piece

    @contextmanager
    def _failures_named(self, url: str) -> Iterator[None]:
        """Turn exceptions of the HTTP library inside the `with` block into an HttpError."""
        try:
            yield
        except httpx2.TimeoutException as error:
            raise HttpError(
                f"{url} did not answer within {self._seconds:g} seconds; increase `timeout_seconds`"
            ) from error
        except httpx2.ConnectError as error:
            raise HttpError(
                f"{url} cannot be reached ({error}); check that the server is running",
                temporary=True,
            ) from error
        except httpx2.HTTPError as error:
            raise HttpError(
                f"{url}: the connection failed before the end of the reply ({error}); try again",
                temporary=True,
            ) from error

    def _parsed(self, url: str, data: bytes) -> dict[str, Any]:
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            shown = self._short(data.decode(errors="replace")) or "nothing"
            raise HttpError(
                f"{url} replied with {shown} instead of a JSON object; check the address"
            )
        if value.get("error"):  # Some servers report errors inside a stream or with status 200.
            raise HttpError(f"{url} reported an error: {self._short(_message(data))}")
        return value

    def _short(self, text: str) -> str:
        """Return the text as one short line. The API key is replaced by *** if it occurs."""
        if self._key is not None:
            text = text.replace(self._key, "***")
        line = " ".join(text.split())
        return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."


def _attributes(url: str) -> Attributes:
    """Return the attributes of a request's span, by OpenTelemetry's conventions for HTTP."""
    found = httpx2.URL(url)
    port = found.port or (443 if found.scheme == "https" else 80)
    return {
        "http.request.method": "POST",
        "url.full": url,
        "server.address": found.host,
        "server.port": port,
    }


def checked_url(text: str) -> str:
    """Return the address of a server without a slash at its end.

    Raises ConfigError for an invalid address. The error message omits the address, because it may
    contain a password.
    """
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL as error:
        raise ConfigError(str(error), field="base_url") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigError("must begin with http:// or https:// and a host", field="base_url")
    if url.userinfo:
        raise ConfigError(
            "must not contain a user name or password; use `api_key`", field="base_url"
        )
    if url.query or url.fragment:
        raise ConfigError("must not contain ? or #", field="base_url")
    return str(url).rstrip("/")


def _message(data: bytes) -> str:
    """Return the error message in the JSON of an error reply; the whole reply if it has none."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return data.decode(errors="replace") or "no message"
    for name in ("error", "message", "detail"):
        if isinstance(value, dict) and value.get(name):
            value = value[name]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _seconds(retry_after: str) -> float:
    """Return how many seconds a Retry-After header asks to wait; 0 if the header is invalid.

    The header contains seconds or a date.
    """
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
