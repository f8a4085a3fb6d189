"""Reads earlier states of a store and the versions of a document, and switches the history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, cast

from ...core import Document, GoneError, NotFoundError, Version, content_hash
from ...core.errors import shown
from ...core.filters import meets
from ..arrays.files import exclusive
from ..config import HistoryConfig
from ..restricted import RestrictedStore, RestrictedView
from ..store.database import history
from ..store.database.history import Commit, Past
from ..store.database.meta import get_number, set_meta
from ..store.database.tables import numbers_of, read_config, read_documents
from ..store.folder import LOCK
from ..store.local import LocalStore
from ..store_protocol import Store, require
from ..view import View
from .instants import FIELD, AsOf, find_commit, iso
from .past_view import PastView


def view_at(store: Store, as_of: AsOf | None) -> AbstractContextManager[View]:
    """Return a context manager that opens a view of the store as of a commit; None: as it is now.

    Raises the errors of `find_commit`.
    """
    if as_of is None:
        return store.view()
    if isinstance(store, RestrictedStore):
        return _within(store, as_of)
    require(store, "history", FIELD)
    return _past_view(cast(LocalStore, store), as_of)


@contextmanager
def _within(store: RestrictedStore, as_of: AsOf) -> Iterator[View]:
    with view_at(store.whole, as_of) as view:
        yield RestrictedView(view, store)


@contextmanager
def _past_view(store: LocalStore, as_of: AsOf) -> Iterator[View]:
    with store.view() as now:
        commit = find_commit(now.connection, as_of)
        view = PastView(now.connection, now.snapshot, now.columns, commit)
        try:
            yield view
        finally:
            view.close()


def history_of(store: Store, name: str) -> list[Version]:
    """Return the kept versions of a document, the newest first.

    In a restricted store, versions that do not meet its condition are left out.

    Raises NotFoundError if there is none, and UnsupportedByStoreError if the collection keeps no
    history.
    """
    require(store, "history")
    whole = store.whole if isinstance(store, RestrictedStore) else store
    local = cast(LocalStore, whole)
    encoders = local.fingerprints()
    with local.view() as view:
        connection = view.connection
        find_commit(connection, get_number(connection, "generation"))  # Raises without a history.
        horizon = history.horizon(connection)
        assert horizon is not None, "checked by find_commit"
        found: list[tuple[Past, Commit | None, Commit | None]] = []
        for past in history.versions(connection, "id = ? AND ended > ?", name, horizon.number):
            ended = next(history.commits(connection, "WHERE number = ?", past.ended))
            found.append((past, history.created_by(connection, past.number), ended))
        current = numbers_of(connection, [name]).get(name)
        if current is not None:
            document = read_documents(connection, [current])[current]
            source = history.source_of(connection, current)
            past = Past(current, 0, source, document)
            found.append((past, history.created_by(connection, current), None))
    if isinstance(store, RestrictedStore):  # A document that leaves the condition is deleted in it.
        found = [one for one in found if meets(one[0].document, store.condition)]
    made = []
    for i, (past, begin, end) in enumerate(found):
        after = found[i + 1][1] if i + 1 < len(found) else None
        replaced = end is not None and after is not None and after.number == end.number
        made.append(_version(past, begin, end, end is not None and not replaced, encoders))
    if not made:
        raise NotFoundError(f"there is no document {shown(name)}, and no version of it is kept")
    return made[::-1]


def _version(
    past: Past,
    begin: Commit | None,
    end: Commit | None,
    deleted: bool,
    encoders: Mapping[str, Any],
) -> Version:
    return Version(
        version=past.number,
        document=past.document,
        recorded=None if begin is None else begin.number,
        recorded_at=None if begin is None else iso(begin.time),
        superseded=None if end is None else end.number,
        superseded_at=None if end is None else iso(end.time),
        deleted=deleted,
        content_hash=content_hash(past.document),
        source=past.source,
        actor="" if begin is None else begin.actor,
        request_id="" if begin is None else begin.request,
        encoders=encoders,
    )


def version_of(store: Store, name: str, version: int) -> Document:
    """Return the document as it was in a version.

    Raises GoneError if the version is not kept, erased, or outside the store's condition.
    """
    for one in history_of(store, name):
        if one.version == version:
            return one.document
    raise GoneError(
        f"there is no version {version} of document {shown(name)}; it was never stored, is beyond "
        "the retention, or was erased"
    )


def set_history(store: Store, setting: HistoryConfig | None) -> None:
    """Begin or end the history of a collection, or change its retention.

    To end it forgets all superseded versions; the next merge removes their passages.
    """
    require(store, "maintenance")
    require(store, "history")
    local = cast(LocalStore, store)
    with exclusive(local.directory / LOCK, wait=True), local.database.write() as connection:
        config = read_config(connection).model_copy(update={"history": setting})
        set_meta(connection, "config", config.model_dump_json())
        history.switch(connection, None if setting is None else setting.days)
