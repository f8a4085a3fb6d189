"""The key of a request: what it may do, and which part of the service it sees."""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Mapping, MutableMapping

from ...client.signing import HEADER
from ..serving.access.access import EVERYONE, NOBODY, SCOPES, Access, Scope
from ..serving.access.keyring import Keyring
from ..serving.access.signed import condition_of
from ..serving.problems import Problem
from ..serving.settings import OPEN_PATHS

_PROGRAMS = ("/v1/", "/v2/", "/rerank", "/embed", "/info", "/health", "/metrics", "/mcp")
"""Beginnings of the paths that programs request. People request the other paths in a browser."""

_SAFE = {"GET", "HEAD", "OPTIONS"}

_SIGNED = HEADER.lower().encode()
_ANY = SCOPES
_READ: tuple[Scope, ...] = ("read",)
_WRITE: tuple[Scope, ...] = ("write",)
_ADMIN: tuple[Scope, ...] = ("admin",)
_JOBS: tuple[Scope, ...] = ("write", "admin")

_GET = re.compile(
    r"(?P<admin>/metrics|/v1/keys|/keys|/v1/collections/[^/]+/snapshots)"
    r"|(?P<jobs>/jobs|/v1/jobs(?:/.*)?)"
    r"|(?P<any>/healthz|/v1/info|/info|/v1/models(?:/.*)?|/openapi\.json|/docs|/static/.*"
    r"|/v1/aliases|/v1/collections(?:/[^/]+)?|/collections|/collection|/status)"
    r"|(?P<read>.*)",
    re.DOTALL,
)
_POST = re.compile(
    r"(?P<read>/v1/search|/v1/collections/[^/]+/(?:search|search/batch|complete|answer)"
    r"|/v1/vector_stores/[^/]+/search"
    r"|/mcp(?:/[^/]+)?|/(?:v[12]/)?rerank|/embed|/embed_sparse|/v[12]/(?:chat|embed)"
    r"|/v1/(?:embeddings|sparse_embeddings|chat/completions|responses))"
    r"|(?P<write>/v1/collections/[^/]+/documents(?!/purge$)(?:/.*)?|/put-document"
    r"|/delete-document)"
    r"|(?P<admin>.*)",
    re.DOTALL,
)
_GROUPS: Mapping[str, tuple[Scope, ...]] = {
    "any": _ANY,
    "read": _READ,
    "write": _WRITE,
    "jobs": _JOBS,
    "admin": _ADMIN,
}


def scopes_of(method: str, path: str) -> tuple[Scope, ...]:
    """Return the scopes of which a request needs one. path: the path without `root_path`.

    An unknown path that is not only read needs "admin".
    """
    found = (_GET if method in _SAFE else _POST).fullmatch(path)
    group = None if found is None else found.lastgroup
    assert group is not None, "the last alternative matches every path"
    return _GROUPS[group]


def is_for_programs(path: str) -> bool:
    """Return True for the paths that programs request. People request the others in a browser."""
    return path.startswith(_PROGRAMS) or path.startswith("/static/")


def changes(method: str, path: str) -> bool:
    """Return True if a request writes or administers, so that the audit log has a line on it."""
    return method not in _SAFE and scopes_of(method, path) != _READ


class ScopeMissing(Problem):
    """The Problem 403 for a request whose key lacks the scope. needed: scopes of which one does."""

    def __init__(self, needed: tuple[Scope, ...]) -> None:
        super().__init__(403, f"this request needs a key with the scope {' or '.join(needed)}")


class Door:
    """Finds the access of each request."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    @property
    def open(self) -> bool:
        """True if requests need no key."""
        return not self._keyring.required

    def check_again(self, headers: Mapping[bytes, bytes]) -> None:
        """Raise Problem 401 if the key of a request that has entered is no longer valid."""
        if not self.open and self._keyring.find(key_of(headers)) is None:
            raise Problem(401, "the key of the request was revoked or has expired")

    def enter(
        self,
        method: str,
        path: str,
        headers: Mapping[bytes, bytes],
        audit: MutableMapping[str, object],
    ) -> Access:
        """Return what a request may do.

        audit: gets the id of the request's key as `key`, also if the request is refused.

        Raises Problem 401 without a valid key, ScopeMissing if the key lacks the scope, and Problem
        403 if the signed filter of the request is wrong.
        """
        signed = headers.get(_SIGNED)
        if self.open:
            condition_of(signed, None, time.time())
            return EVERYONE
        found = self._keyring.find(key_of(headers))
        if path in OPEN_PATHS:
            return NOBODY if found is None else found[1]  # Shows names of collections only.
        if found is None:
            # A browser prompts its user for Basic credentials, but not for a bearer token.
            scheme = "Bearer" if path.startswith(_PROGRAMS) else "Basic"
            raise Problem(
                401,
                "API key missing or wrong; send `Authorization: Bearer KEY` or `api-key: KEY`",
                headers={"WWW-Authenticate": f'{scheme} realm="twindex"'},
            )
        key, access = found
        audit["key"] = access.key
        condition = condition_of(signed, key, time.time())
        if condition is not None:
            access = access.narrowed(condition)
        needed = scopes_of(method, path)
        if not access.may(needed):
            raise ScopeMissing(needed)
        return access


def key_of(headers: Mapping[bytes, bytes]) -> bytes:
    """Return the API key from the header `api-key` or `Authorization`; empty without a key."""
    if b"api-key" in headers:
        return headers[b"api-key"]
    scheme, _, value = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer":
        return value.strip()
    if scheme.lower() == b"basic":
        try:
            return base64.b64decode(value.strip(), validate=True).partition(b":")[2]
        except binascii.Error:
            return b""
    return b""
