"""What a request may do: its scopes, its collections, and the filter on their documents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from ....core.filters import And, Condition

Scope = Literal["read", "write", "admin"]
"""read: search, answer, rerank, embed, read documents. write: write and delete documents, and see
jobs. admin: create, delete and maintain collections, see metrics and all jobs."""

SCOPES: tuple[Scope, ...] = get_args(Scope)

OPERATOR = "api_key"
"""Id of the key of the setting `api_key`, in logs."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one key. None: no limit.

    requests:      maximum number of requests in a minute.
    concurrent:    maximum number of requests at the same time.
    model_seconds: maximum number of seconds that language models may work in a minute.
    """

    requests: int | None = None
    concurrent: int | None = None
    model_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """The limits of the key with the id `key`."""

    key: str
    limits: Limits


@dataclass(frozen=True, slots=True)
class Access:
    """What a request may do.

    key:         id of its key; "" for a request without a key. Logs may show it.
    scopes:      what the request may do; see `Scope`.
    collections: names of the collections that it sees. `*` stands for any characters.
    filter:      condition on all documents that it reads or writes; None: all documents.
    limits:      limits of its key.
    name:        name of its key, for people; "" without one.
    expires:     end of its key, in seconds since 1970; None: it does not expire.
    creators:    budgets of the keys that created its key, or a key that did, nearest first.
    """

    key: str = ""
    scopes: frozenset[Scope] = field(default_factory=lambda: frozenset(SCOPES))
    collections: tuple[str, ...] = ("*",)
    filter: Condition | None = None
    limits: Limits = field(default_factory=Limits)
    name: str = ""
    expires: float | None = None
    creators: tuple[Budget, ...] = ()

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """The limits in which a request counts: those of its key and of the keys that created it.

        Keys without limits are left out.
        """
        own = () if self.limits == Limits() else (Budget(self.key, self.limits),)
        return own + self.creators

    @property
    def allowed(self) -> frozenset[Scope]:
        """The scopes that the request may use. "admin" requires access without filter."""
        return self.scopes - {"admin"} if self.filter is not None else self.scopes

    def may(self, scopes: Iterable[Scope]) -> bool:
        """Return True if one of these scopes is allowed; see `allowed`."""
        return not self.allowed.isdisjoint(scopes)

    @property
    def administers(self) -> bool:
        """Return True if the request may administer its collections."""
        return self.may(("admin",))

    @property
    def owner(self) -> str:
        """Return the owner of jobs and of idempotency keys; "" without keys and for the operator.

        A server that gets its first key then still knows the replies to its operator.
        """
        return "" if self.key == OPERATOR else self.key

    def sees(self, collection: str) -> bool:
        """Return True if the request sees the collection of this name."""
        return any(_matches(pattern, collection) for pattern in self.collections)

    @property
    def sees_all(self) -> bool:
        """Return True if the request sees every collection."""
        return "*" in self.collections and self.filter is None

    def narrowed(self, condition: Condition) -> Access:
        """Return this access with a filter more. Both filters then apply."""
        return replace(
            self, filter=condition if self.filter is None else And((self.filter, condition))
        )


EVERYONE = Access()
"""Access to a server that requires no key."""

NOBODY = Access(scopes=frozenset(), collections=())
"""Access of a request without a key to a server that requires one."""


def _matches(pattern: str, name: str) -> bool:
    """Return True if a name matches a pattern, in which `*` stands for any characters."""
    first, *rest = pattern.split("*")
    if not rest:
        return name == pattern
    *middle, last = rest
    end = len(name) - len(last)
    if not (name.startswith(first) and name.endswith(last) and len(first) <= end):
        return False
    at = len(first)
    for part in middle:  # The first place of a part is always good enough.
        at = name.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True
