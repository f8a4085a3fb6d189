"""JSON over HTTP, with every way in which it can fail said in words."""

from __future__ import annotations

import json
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx2

from ...core import ConfigError, InvalidInputError, ModelError
from .sse import events

TEMPORARY = frozenset({429, 500, 502, 503, 504})
"""HTTP states that may be others at another attempt."""

BACKOFF = 0.5
"""Seconds before the second attempt; twice as long before each further one."""

LARGEST = 64 << 20
"""Bytes of a reply, at most."""

_SHOWN = 300
T = TypeVar("T")


class HttpError(ModelError):
    """A request that came to nothing.

    status:    of HTTP; None where no reply came or the reply is no use.
    temporary: another attempt may succeed.
    wait:      seconds that the server asks to wait before it.
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
    """Sends JSON and reads JSON. Thread-safe. All failures are an HttpError that names the URL.

    api_key: sent as a bearer token; it is in no message, log or repr.
    seconds: for one attempt, from connecting to the last byte; in a stream, to the next byte.
    retries: further attempts where the status is in `TEMPORARY` or the connection failed, after a
             growing pause or what Retry-After says. Not after a timeout, and not when the server
             wants a longer pause than `seconds`.

    Redirects are not followed: the key goes to the address that was named and to no other.
    """

    def __init__(self, *, api_key: str | None, seconds: float, retries: int) -> None:
        headers = {"Content-Type": "application/json"}
        if api_key is not None:
            if not api_key or not all("!" <= character <= "~" for character in api_key):
                raise ConfigError("must be printable ASCII without spaces", field="api_key")
            headers["Authorization"] = f"Bearer {api_key}"
        self._key = api_key
        self._seconds = seconds
        self._retries = retries
        self._client = httpx2.Client(headers=headers, timeout=seconds)
        weakref.finalize(self, self._client.close)

    def post(self, url: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON object that is the answer."""

        def attempt() -> bytes:
            deadline = time.monotonic() + self._seconds
            return b"".join(self._pieces(url, self._open(url, body), deadline))

        return self._parsed(url, self._retrying(attempt))

    def stream(self, url: str, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The JSON objects of a stream of events, up to "[DONE]" or the end of the stream.

        What was begun is not attempted again.
        """
        response = self._retrying(lambda: self._open(url, body))
        with closing(response):
            kind = response.headers.get("content-type", "nothing")
            if not kind.startswith("text/event-stream"):
                raise HttpError(f"{url} answers {self._short(kind)} and not a stream of events")
            for data in events(self._pieces(url, response)):
                if data == b"[DONE]":
                    return
                yield self._parsed(url, data)

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
        """The response once it has begun well; to be closed by the caller."""
        deadline = time.monotonic() + self._seconds
        try:
            content = json.dumps(body, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise InvalidInputError("half a surrogate pair is no text") from None
        with self._explained(url):
            request = self._client.build_request("POST", url, content=content)
            response = self._client.send(request, stream=True)
        if response.is_success:
            return response
        wait = _seconds(response.headers.get("retry-after", ""))
        if response.is_redirect:
            said = f"redirects to {response.headers.get('location')}; name that address instead"
        else:
            said = _message(b"".join(self._pieces(url, response, deadline)))
        asked = f" (asks to wait {wait:g} s)" if wait else ""
        raise HttpError(
            f"{url}: HTTP {response.status_code}: {self._short(said)}{asked}",
            status=response.status_code,
            temporary=response.status_code in TEMPORARY,
            wait=wait,
        )

    def _pieces(
        self, url: str, response: httpx2.Response, deadline: float | None = None
    ) -> Iterator[bytes]:
        size = 0
        with closing(response), self._explained(url):
            for piece in response.iter_bytes():
                size += len(piece)
                if size > LARGEST:
                    raise HttpError(f"{url}: the reply is larger than {LARGEST >> 20} MiB")
                if deadline is not None and time.monotonic() > deadline:
                    raise httpx2.ReadTimeout("")
                yield piece

    @contextmanager
    def _explained(self, url: str) -> Iterator[None]:
        try:
            yield
        except httpx2.TimeoutException as error:
            raise HttpError(f"{url}: no answer within {self._seconds:g} seconds") from error
        except httpx2.ConnectError as error:
            raise HttpError(f"{url}: no connection ({error})", temporary=True) from error
        except httpx2.HTTPError as error:
            raise HttpError(
                f"{url}: the connection failed before the end of the reply ({error})",
                temporary=True,
            ) from error

    def _parsed(self, url: str, data: bytes) -> dict[str, Any]:
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            shown = self._short(data.decode(errors="replace")) or "nothing"
            raise HttpError(f"{url} answers what is not a JSON object: {shown}")
        if value.get("error"):  # some say so in a stream that has begun, or with status 200
            raise HttpError(f"{url}: {self._short(_message(data))}")
        return value

    def _short(self, text: str) -> str:
        """One short line, in which the key does not occur even if the server repeats it."""
        if self._key is not None:
            text = text.replace(self._key, "***")
        line = " ".join(text.split())
        return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."


def checked_url(text: str) -> str:
    """An address that requests can be sent to, without the slash at its end.

    Raises ConfigError, which does not repeat the address: it may contain a password.
    """
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL as error:
        raise ConfigError(str(error), field="base_url") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigError("must begin with http:// or https:// and a host", field="base_url")
    if url.userinfo:
        raise ConfigError("must not contain a name or password: use api_key", field="base_url")
    if url.query or url.fragment:
        raise ConfigError("must not contain ? or #", field="base_url")
    return str(url).rstrip("/")


def _message(data: bytes) -> str:
    """What a server says of an error: the message in its JSON object, else all it said."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return data.decode(errors="replace") or "without a message"
    for name in ("error", "message", "detail"):
        if isinstance(value, dict) and value.get(name):
            value = value[name]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _seconds(retry_after: str) -> float:
    """The header Retry-After: seconds or a date; 0 where there is neither."""
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
