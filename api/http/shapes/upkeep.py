"""Pydantic models of replies about aliases and snapshots."""

from __future__ import annotations

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
