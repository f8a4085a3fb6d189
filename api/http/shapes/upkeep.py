"""Pydantic models of replies about aliases, snapshots and keys."""

from __future__ import annotations

from typing import Any, Literal

from .shape import Shape


class Alias(Shape):
    """An alias.

    alias:      name of the alias.
    collection: the collection that it means.
    """

    alias: str
    collection: str


class AliasList(Shape):
    """All aliases of the server.

    aliases: the aliases, sorted by name.
    """

    aliases: list[Alias]


class Snapshot(Shape):
    """A complete snapshot of a collection.

    name:       name of the snapshot.
    collection: name of the collection.
    created:    time at which it was begun, in ISO 8601.
    generation: number of changes of the collection that it contains; `index.version` of a search.
    documents:  number of documents.
    bytes:      size of all files.
    files:      number of files.
    """

    name: str
    collection: str
    created: str
    generation: int
    documents: int
    bytes: int
    files: int


class SnapshotList(Shape):
    """The snapshots of a collection.

    snapshots: the complete snapshots, oldest first.
    """

    snapshots: list[Snapshot]


class Changed(Shape):
    """Whether a request has changed something.

    changed: False if there was nothing to do.
    """

    changed: bool


class StoredKey(Shape):
    """An API key, without its secret.

    id:            beginning of the key, which logs show.
    name:          name of the key, for people.
    state:         "valid", "revoked" or "expired".
    scopes:        what the key may do.
    collections:   names of the collections that it sees. `*` stands for any characters.
    filter:        filter on all documents that it reads or writes; null: all documents.
    created:       time of its creation, in ISO 8601.
    expires:       end of the key; null: it does not expire.
    revoked:       time of its revocation; null: it is not revoked.
    requests:      maximum number of requests in a minute; null: no limit.
    concurrent:    maximum number of requests at the same time; null: no limit.
    model_seconds: seconds that language models may work in a minute; null: no limit.
    signed_filter: whether requests may, or must, have a signed filter.
    creator:       id of the key that created it, in whose limits its requests count too; null: the
                   operator created it.
    """

    id: str
    name: str
    state: Literal["valid", "revoked", "expired"]
    scopes: list[Literal["read", "write", "admin"]]
    collections: list[str]
    filter: dict[str, Any] | None
    created: str
    expires: str | None
    revoked: str | None
    requests: int | None
    concurrent: int | None
    model_seconds: float | None
    signed_filter: Literal["refused", "accepted", "required"]
    creator: str | None


class NewKey(StoredKey):
    """A new API key, with its secrets, which are shown once.

    key:            the key that requests send.
    signing_secret: secret for signed filters; null if they are refused.
    """

    key: str
    signing_secret: str | None


class KeyList(Shape):
    """API keys, oldest first.

    keys: the keys.
    """

    keys: list[StoredKey]
