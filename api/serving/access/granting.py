"""Keys that a key may see, create and revoke: those that may do no more than the key itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import Field

from ....core import Config, ConflictError, InvalidInputError, NotFoundError
from ....core.bounds import Bounds
from ....core.filters.dates import instant
from ..problems import Problem
from .access import OPERATOR, Access, Limits, Scope
from .key_file import Created, Key, RevokedError, Signed, new_key
from .keyring import Keyring

N = TypeVar("N", int, float)

MOST_BUDGETS = 8
"""Maximum number of keys in whose limits a request counts: its own key and those above it."""


class KeyRequest(Config):
    """A request for a new key. Fields that are left out are as for the key of the request.

    name:          name of the key, for people.
    scopes:        what the key may do: "read", "write", "admin".
    collections:   names of the collections that it sees. `*` stands for any characters.
    filter:        filter that every document meets which the key reads, writes or deletes.
    expires:       end of the key: a date and time in ISO 8601.
    requests:      maximum number of requests in a minute.
    concurrent:    maximum number of requests at the same time.
    model_seconds: maximum number of seconds that language models may work in a minute.
    signed_filter: whether requests may, or must, have a signed filter: "refused", "accepted" or
                   "required".
    """

    name: Annotated[str, Field(min_length=1, max_length=100)]
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, max_length=3)] = ("read",)
    collections: Annotated[tuple[str, ...], Field(min_length=1, max_length=100)] | None = None
    filter: dict[str, Any] | None = None
    expires: Annotated[str, Field(max_length=100)] | None = None
    requests: Annotated[int, Bounds(1, 1_000_000_000)] | None = None
    concurrent: Annotated[int, Bounds(1, 1_000_000_000)] | None = None
    model_seconds: Annotated[float, Bounds(0.001, 1e9)] | None = None
    signed_filter: Signed = "refused"


class Granting:
    """The keys of a server, as far as the key of a request may see and change them.

    A key without the scope `admin`, or with a filter, gets Problem 403. So does a request without a
    key: the first key is created with `twindex keys create`.
    """

    def __init__(self, keyring: Keyring, access: Access) -> None:
        self._keyring = keyring
        self._access = access
        if not access.administers:
            raise Problem(403, "keys need a key with the scope admin and without a filter")

    def list(self) -> list[Key]:
        """Return the keys that may do no more than the key of the request, oldest first."""
        return [key for key in self._keyring.file.read() if covers(self._access, key)]

    def create(self, wanted: KeyRequest) -> Created:
        """Create a key. It is valid when the method returns.

        Its requests count in the limits of the key of the request, too.

        Raises Problem 403 for a key that could do more than the key of the request, Problem 401 if
        that key was revoked since the request began, and ConflictError if the server requires no
        keys, or if more than MOST_BUDGETS keys would have created each other.
        """
        if not self._keyring.required:
            raise ConflictError(
                "this server requires no keys; create the first key with `twindex keys create`"
            )
        own = self._access
        created = new_key(
            wanted.name,
            scopes=wanted.scopes,
            collections=wanted.collections or own.collections,
            filter=wanted.filter,
            expires=own.expires if wanted.expires is None else _time(wanted.expires),
            limits=Limits(
                _least(wanted.requests, own.limits.requests),
                _least(wanted.concurrent, own.limits.concurrent),
                _least(wanted.model_seconds, own.limits.model_seconds),
            ),
            signed=wanted.signed_filter,
            creator=None if own.key == OPERATOR else own.key,
        )
        if (field := exceeded(own, created.key)) is not None:
            raise Problem(
                403,
                f"{field}: a key cannot create a key that may do more than itself",
                errors=[{"field": field, "message": "exceeds the key of the request"}],
            )
        if len(own.budgets) >= MOST_BUDGETS:
            raise ConflictError(
                f"requests of the new key would count in the limits of more than {MOST_BUDGETS} "
                "keys, each created by the next; create it with one of the keys above"
            )
        with self._as_own() as by:
            self._keyring.file.add(created.key, by)
        return created

    def revoke(self, key_id: str) -> Key:
        """Revoke a key and return it.

        Raises NotFoundError for a key that is not listed, and Problem 401 as `create` does.
        """
        if not any(key.id == key_id for key in self.list()):
            raise NotFoundError(f"no key {key_id[:64]!r}; GET /v1/keys lists the ids")
        with self._as_own() as by:
            return self._keyring.file.revoke(key_id, by)

    @contextmanager
    def _as_own(self) -> Iterator[str | None]:
        """Return a context for a change by the key of the request, which has effect at its end.

        The value is the id of the key; None for the operator. Raises Problem 401 if the key was
        revoked, or has expired, since the request began.
        """
        try:
            yield None if self._access.key == OPERATOR else self._access.key
        except RevokedError:
            raise Problem(401, "the key of the request was revoked or has expired") from None
        self._keyring.reload()


def exceeded(access: Access, key: Key) -> str | None:
    """Return the field in which a key may do more than `access`; None if there is none."""
    if not set(key.scopes) <= access.scopes:
        return "scopes"
    if not all(any(contains(own, one) for own in access.collections) for one in key.collections):
        return "collections"
    if access.expires is not None and (key.expires is None or key.expires > access.expires):
        return "expires"
    for name in ("requests", "concurrent", "model_seconds"):
        own, wanted = getattr(access.limits, name), getattr(key.limits, name)
        if own is not None and (wanted is None or wanted > own):
            return name
    return None


def covers(access: Access, key: Key) -> bool:
    """Return True if a key may do no more than `access`."""
    return exceeded(access, key) is None


def contains(pattern: str, other: str) -> bool:
    """Return True if every name that matches `other` matches `pattern` too.

    In patterns, `*` stands for any characters, and no other character of a pattern is `*`. So it
    suffices that `pattern` matches `other` as if it were a name.
    """
    return Access(collections=(pattern,)).sees(other)


def _least(wanted: N | None, own: N | None) -> N | None:
    """Return a wanted limit; the limit of the key of the request if none is wanted."""
    return own if wanted is None else wanted


def _time(text: str) -> float:
    at = instant(text)
    if at is None:
        raise InvalidInputError(
            "must be a date and time in ISO 8601, such as 2030-01-31T12:00:00Z", field="expires"
        )
    return at / 1e6


def described(key: Key, now: float) -> dict[str, Any]:
    """Return a key as JSON values, without its secrets. now: seconds since 1970."""
    return {
        "id": key.id,
        "name": key.name,
        "state": key.state(now),
        "scopes": list(key.scopes),
        "collections": list(key.collections),
        "filter": key.filter,
        "created": date(key.created),
        "expires": date(key.expires),
        "revoked": date(key.revoked),
        "requests": key.limits.requests,
        "concurrent": key.limits.concurrent,
        "model_seconds": key.limits.model_seconds,
        "signed_filter": key.signed,
        "creator": key.creator,
    }


def date(seconds: float | None) -> str | None:
    """Return a time, in seconds since 1970, as a date in UTC; None for None."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
