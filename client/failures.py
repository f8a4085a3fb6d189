"""Turns error replies and broken connections into exceptions, and decides whether to retry."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from ..core.errors import (
    AccessError,
    ConfigError,
    ConflictError,
    EncoderMismatchError,
    GoneError,
    InvalidInputError,
    ModelError,
    NotFoundError,
    PreconditionFailedError,
    ServiceError,
    StorageError,
    TimeLimitError,
    TwindexError,
    UnavailableError,
    UnsupportedError,
)

FIRST_PAUSE = 0.1
"""Maximum pause before the first retry, in seconds. It doubles with each retry. The time that the
service requests is added."""
LONGEST_PAUSE = 5.0
"""Maximum pause before any retry, in seconds, without the time that the service requests."""
FIRST_CONTACT = 5.0
"""Maximum number of seconds to retry refused connections while the client has had no reply."""
ALSO = 2
"""Maximum number of invalid fields that a message names after the first."""

_BY_CODE: Mapping[str, type[TwindexError]] = {
    **{
        kind.code: kind
        for kind in (
            ConflictError,
            EncoderMismatchError,
            ModelError,
            NotFoundError,
            PreconditionFailedError,
            StorageError,
            TimeLimitError,
            UnsupportedError,
        )
    },
    "corrupt": StorageError,
    "damaged": StorageError,
    "unreadable": StorageError,
    "building": StorageError,
    "unavailable": ModelError,
    "in_progress": UnavailableError,
}
_BY_STATUS: Mapping[int, type[TwindexError]] = {
    401: AccessError,
    403: AccessError,
    404: NotFoundError,
    410: GoneError,
    409: ConflictError,
    429: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
}
_BY_PROXY: Mapping[int, type[TwindexError]] = {401: AccessError, 403: AccessError}
"""HTTP status -> error class, for replies of a proxy in front of the service."""
_INVALID = (400, 413, 415, 422)
_PASSING = (
    *("not_ready", "loading", "overloaded", "too_many_requests", "storage"),
    "writer_unavailable",
)
"""Error codes of failures that may end soon."""


class Failure(Exception):  # noqa: N818 - it carries the error
    """A failed call, with the data that decides whether it is retried.

    error:       exception to raise if the call is not retried.
    passing:     True if the failure is temporary, so that a retry may succeed.
    retry_after: seconds that the service asks to wait before a retry. None: it does not say.
    working:     True if the service is still working on an earlier attempt of the call.
    patience:    seconds during which this failure may be retried. The smaller of this number and
                 the client's `patience` applies. None: the client's `patience` applies.
    """

    def __init__(
        self,
        error: TwindexError,
        passing: bool,
        retry_after: float | None = None,
        working: bool = False,
        patience: float | None = None,
    ) -> None:
        super().__init__(error)
        self.patience = patience
        self.error = error
        self.passing = passing or working
        self.retry_after = retry_after
        self.working = working


def failure_of(status: int, headers: Mapping[str, str], body: bytes) -> Failure:
    """Return the failure that an error reply describes."""
    try:
        problem: Any = json.loads(body)
    except ValueError:
        problem = None
    if not isinstance(problem, dict) or "code" not in problem:  # The reply is from a proxy.
        passing = status in (429, 502, 503, 504)
        kind = UnavailableError if passing else _BY_PROXY.get(status, ServiceError)
        error = kind(
            f"the service replied with HTTP status {status} and no error message; "
            "check the URL, and the proxy if there is one"
        )
        return Failure(error, passing, _seconds(headers.get("retry-after")))
    error = _error(status, problem)
    error.request_id = problem.get("request_id")
    return Failure(
        error,
        problem["code"] in _PASSING,
        _seconds(headers.get("retry-after")),
        working=problem["code"] == "in_progress",
    )


def _error(status: int, problem: Mapping[str, Any]) -> TwindexError:
    code, detail = str(problem["code"]), str(problem["detail"])
    if status in _INVALID:
        fields = problem.get("errors") or [{"field": None, "message": detail}]
        first, rest = fields[0], fields[1:]
        also = [f"{other['field']}: {other['message']}" for other in rest[:ALSO]]
        if len(rest) > ALSO:
            also.append(f"and {len(rest) - ALSO} more")
        message = "; ".join([first["message"], *also])
        kind = ConfigError if code == ConfigError.code else InvalidInputError
        return kind(message, field=first["field"] or None)
    return _BY_CODE.get(code, _BY_STATUS.get(status, ServiceError))(detail)


def _seconds(header: str | None) -> float | None:
    """Return the seconds in a Retry-After header. None if the header is absent or holds a date."""
    try:
        return None if header is None else max(0.0, float(header))
    except ValueError:
        return None


class Attempts:
    """Decides whether to retry a failed call, and how long to wait before the retry."""

    def __init__(self, patience: float, clock: Callable[[], float] | None = None) -> None:
        """Begin the attempts of one call.

        patience: seconds after the first failure during which a retry may begin. This time starts
        anew whenever the service replies that it is still working on an earlier attempt.
        clock: function that returns the time in seconds. None: the system's clock.
        """
        self._clock = clock or monotonic
        self._patience = patience
        self._since: float | None = None
        self._next = FIRST_PAUSE

    def pause(self, failure: Failure) -> float:
        """Return the seconds to wait before the next attempt.

        Raises `failure.error` if a retry is useless or would begin too late.
        """
        wait = self._next * random.uniform(0.5, 1)
        self._next = min(2 * self._next, LONGEST_PAUSE)
        if failure.retry_after is not None:
            wait += failure.retry_after
        if self._since is None or failure.working:
            self._since = self._clock()
        limits = (self._patience, failure.patience)
        patience = min(limit for limit in limits if limit is not None)
        if not failure.passing or self._clock() + wait > self._since + patience:
            raise failure.error
        return wait
