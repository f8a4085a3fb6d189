"""A store within a condition: the documents that do not meet the condition do not exist in it.

Searches, reads, counts and deletions return and change only documents that meet the condition.
Scores are those of the whole collection: statistics of terms count all documents.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..core import (
    Contribution,
    DeletedCount,
    Document,
    InvalidInputError,
    NotFoundError,
    Passage,
    Representation,
    TermWeight,
    UnsupportedByStoreError,
    UpdateReport,
)
from ..core.filters import (
    BOOLEAN,
    NUMBER,
    OWN,
    STRING,
    And,
    Condition,
    Exists,
    check_selective,
    meets,
)
from ..core.filters.conditions import kinds, tested
from ..core.near import did_you_mean
from .config import CollectionConfig
from .field_values import FieldValues
from .store_protocol import EncodedDocument, Record, Store, Written, taken
from .structures.vector_search import VectorSearch
from .view import (
    CollectionTerms,
    ExplainingView,
    Handles,
    LegResult,
    VectorView,
    View,
    VocabularyView,
)

_KEPT = 64
"""Maximum number of filters whose warnings are kept."""

_FIELDS = 1_000
"""Maximum number of fields that warnings and suggestions read."""

_NAMED = 10
"""Maximum number of fields with warnings."""

_KINDS = {NUMBER: "a number", STRING: "a string", BOOLEAN: "a boolean"}


@dataclass(frozen=True, slots=True)
class _Selected:
    """A selection of the wrapped view, of documents that meet the condition."""

    selection: Any


class RestrictedStore:
    """The part of a store that meets a condition. See `Store` for the methods.

    A write of a document that does not meet the condition raises InvalidInputError. A write with
    the id of a stored document that does not meet the condition raises ConflictError, and stores
    nothing.
    """

    def __init__(self, store: Store, condition: Condition) -> None:
        self.whole = store
        self.condition = condition
        self.capabilities = store.capabilities - {"maintenance"}
        self._fields: tuple[int, list[tuple[str, int]]] = (-1, [])
        self._warnings: OrderedDict[tuple[int, Condition], list[str]] = OrderedDict()

    @property
    def directory(self) -> Path:
        return self.whole.directory

    @property
    def config(self) -> CollectionConfig:
        return self.whole.config

    @contextmanager
    def view(self) -> Iterator[RestrictedView]:
        """See Store."""
        with self.whole.view() as view:
            yield RestrictedView(view, self)

    def check(self, document: Document) -> None:
        """Raise the error that writing a document would raise because of the condition."""
        self._check(document)
        with self.whole.view() as view:
            try:
                stored = view.get(document.id)
            except NotFoundError:
                return
        if not meets(stored, self.condition):
            raise taken(document.id)

    def _check(self, document: Document) -> None:
        if not meets(document, self.condition):
            raise InvalidInputError(
                f"document {document.id!r} is outside the filter of this key or view; write only "
                "documents that meet the filter",
                field="metadata",
            )

    def unchanged(self, documents: Sequence[Document]) -> dict[str, int]:
        """See Store. Raises InvalidInputError for a document that does not meet the condition."""
        for document in documents:
            self._check(document)
        return self.whole.unchanged(documents)

    def write(
        self,
        batch: Sequence[EncodedDocument],
        legs: Mapping[str, Representation],
        *,
        unchanged: Mapping[str, int] | None = None,
        record: Record | None = None,
        within: Condition | None = None,
        check: Callable[[Mapping[str, Document]], None] | None = None,
    ) -> Written:
        """See Store."""
        for item in batch:
            self._check(item.document)
        more: Any = {"unchanged": unchanged, "record": record, "check": check}
        return self.whole.write(batch, legs, within=self._and(within), **more)

    def delete(
        self,
        ids: Sequence[str],
        *,
        within: Condition | None = None,
        check: Callable[[Document], None] | None = None,
    ) -> list[str]:
        """See Store. Documents that do not meet the condition are not found."""
        return self.whole.delete(ids, within=self._and(within), check=check)

    def update(
        self,
        ids: Sequence[str],
        change: Callable[[Document], Document],
        *,
        within: Condition | None = None,
    ) -> UpdateReport:
        """See Store. Raises InvalidInputError if a document would no longer meet the condition."""
        return self.whole.update(ids, self._inside(change), within=self._and(within))

    def update_where(
        self, where: Condition, change: Callable[[Document], Document]
    ) -> UpdateReport:
        """See Store. Raises InvalidInputError if a document would no longer meet the condition."""
        with self.view() as view:
            warnings = tuple(view.warnings(where))
        found = self.whole.update_where(self._and(where), self._inside(change))
        return replace(found, warnings=warnings)

    def _inside(self, change: Callable[[Document], Document]) -> Callable[[Document], Document]:
        def checked(document: Document) -> Document:
            self._check(new := change(document))
            return new

        return checked

    def delete_where(self, where: Condition) -> DeletedCount:
        """See Store."""
        check_selective(where)
        with self.view() as view:
            warnings = view.warnings(where)
        return DeletedCount(int(self.whole.delete_where(self._and(where))), warnings)

    def fingerprints(self) -> dict[str, Any]:
        """See Store."""
        return self.whole.fingerprints()

    def bind(self, fingerprints: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """See Store."""
        return self.whole.bind(fingerprints)

    def describe(self) -> dict[str, Any]:
        """Return only the counts of documents and passages, and the generation."""
        with self.view() as view:
            return {
                "documents": view.count(None),
                "passages": view.passage_count(None),
                "generation": view.generation,
            }

    def close(self) -> None:
        """Do nothing: the store belongs to the whole collection."""

    def _and(self, where: Condition | None) -> Condition:
        return self.condition if where is None else And((self.condition, where))

    # -- for the view ----------------------------------------------------------------------

    def fields_of(self, view: View) -> list[tuple[str, int]]:
        """Return the first _FIELDS fields of the view's documents; see `View.fields`."""
        generation, found = self._fields
        if generation != view.generation:
            found = view.fields(_FIELDS, self.condition)
            self._fields = (view.generation, found)
        return found

    def warnings_of(self, view: View, where: Condition) -> list[str]:
        """Return a warning for each field of `where` that no document of the view has."""
        key = (view.generation, where)
        known = self._warnings.get(key)
        if known is None:
            known = self._warnings[key] = list(self._find_warnings(view, where))
            while len(self._warnings) > _KEPT:
                try:
                    self._warnings.popitem(last=False)
                except KeyError:  # Another thread emptied the cache.
                    break
        return known

    def _find_warnings(self, view: View, where: Condition) -> Iterator[str]:
        keys = sorted(tested(where) - OWN)
        unknown = [key for key in keys if not view.count(self._and(Exists(key)))]
        for key in unknown[:_NAMED]:
            known = sorted({name for name, _ in self.fields_of(view)} | OWN)
            yield f"filter: no document has a field {key!r}{did_you_mean(key, known)}"
        if (rest := len(unknown) - _NAMED) > 0:
            yield f"filter: no document has {rest:,} other fields of this filter"
        pairs = sorted((k, kind) for k, kind in kinds(where) if k not in OWN.union(unknown))
        for key, kind in pairs[:_NAMED]:
            found = {own for name, own in self.fields_of(view) if name == key}
            if found and kind not in found:
                has = " and ".join(_KINDS[own] for own in sorted(found))
                yield f"filter: {key!r} is compared with {_KINDS[kind]}, but documents store {has}"


def restricted(store: Store, condition: Condition) -> RestrictedStore:
    """Return the part of a store that meets a condition."""
    if isinstance(store, RestrictedStore):
        return RestrictedStore(store.whole, And((store.condition, condition)))
    return RestrictedStore(store, condition)


class RestrictedView:
    """A view of the documents that meet the condition of its store. See `View` for the methods.

    Handles and selections must come from this view.
    """

    def __init__(self, view: View, store: RestrictedStore) -> None:
        self._view = view
        self._store = store
        self._condition = store.condition

    @property
    def config(self) -> CollectionConfig:
        return self._view.config

    @property
    def generation(self) -> int:
        return self._view.generation

    def _and(self, where: Condition | None) -> Condition:
        return self._condition if where is None else And((self._condition, where))

    # -- documents -------------------------------------------------------------------------

    def get(self, name: str) -> Document:
        """See View. A document that does not meet the condition is not found."""
        found = self._view.get(name)
        if not meets(found, self._condition):
            raise NotFoundError(f"there is no document {name!r}")
        return found

    def page(
        self,
        after: str | None,
        limit: int,
        where: Condition | None,
        *,
        most_bytes: int | None = None,
    ) -> list[Document]:
        return self._view.page(after, limit, self._and(where), most_bytes=most_bytes)

    def count(self, where: Condition | None) -> int:
        return self._view.count(self._and(where))

    def matching(self, where: Condition | None) -> Handles:
        return self._view.matching(self._and(where))

    def values(self, key: str, documents: Handles) -> FieldValues:
        return self._view.values(key, documents)

    def passage_count(self, where: Condition | None) -> int:
        return self._view.passage_count(self._and(where))

    def fields(self, limit: int = 100, where: Condition | None = None) -> list[tuple[str, int]]:
        if where is not None or limit > _FIELDS:
            return self._view.fields(limit, self._and(where))
        return self._store.fields_of(self._view)[:limit]

    def warnings(self, where: Condition | None) -> list[str]:
        return [] if where is None else self._store.warnings_of(self._view, where)

    def names(self, documents: Sequence[int]) -> dict[int, str]:
        return self._view.names(documents)

    def documents(self, documents: Sequence[int]) -> dict[int, Document]:
        return self._view.documents(documents)

    def sizes(self, documents: Sequence[int]) -> dict[int, int]:
        return self._view.sizes(documents)

    def passages(self, passages: Handles, neighbours: int = 0) -> list[Passage | None]:
        return self._view.passages(passages, neighbours)

    def select(self, where: Condition | None) -> _Selected:
        return _Selected(self._view.select(self._and(where)))

    def among(self, documents: Handles) -> _Selected:
        return _Selected(self._view.among(documents))

    def search(
        self,
        leg: str,
        queries: Representation,
        depth: int,
        within: Any,
        how: VectorSearch | None = None,
    ) -> list[LegResult]:
        assert isinstance(within, _Selected), "a selection of another view would be wider"
        return self._view.search(leg, queries, depth, within.selection, how)

    def frequencies(self, leg: str, terms: Sequence[str]) -> dict[str, int]:
        """Return the frequencies in the whole collection, as scores use them."""
        return self._view.frequencies(leg, terms)

    def statistics(self, leg: str, terms: Sequence[str]) -> CollectionTerms:
        """Return the statistics of the whole collection, as scores use them."""
        return self._view.statistics(leg, terms)

    def explain(
        self, leg: str, query: Representation, passages: Handles
    ) -> Iterator[Sequence[Contribution]]:
        return cast(ExplainingView, self._view).explain(leg, query, passages)

    def terms(self, leg: str, passages: Handles) -> Iterator[Sequence[TermWeight]]:
        return cast(ExplainingView, self._view).terms(leg, passages)

    def near_terms(self, leg: str, word: str, stem: str, most: int) -> list[tuple[str, int]]:
        """See VocabularyView. The terms of the whole collection: show none of them to a user."""
        return cast(VocabularyView, self._view).near_terms(leg, word, stem, most)

    def completions(self, earlier: str, prefix: str, where: Condition | None, typos: int) -> Any:
        vocabulary = cast(VocabularyView, self._view)
        return vocabulary.completions(earlier, prefix, self._and(where), typos)

    def titles(self, text: str, where: Condition | None, limit: int) -> list[int]:
        return cast(VocabularyView, self._view).titles(text, self._and(where), limit)

    def vectors(self, leg: str, passages: Handles) -> NDArray[np.float32]:
        return cast(VectorView, self._view).vectors(leg, passages)

    def passages_of(self, documents: Handles) -> Handles:
        return cast(VectorView, self._view).passages_of(documents)

    def is_rounded(self, leg: str) -> bool:
        return cast(VectorView, self._view).is_rounded(leg)

    def owners(self) -> Handles:
        raise _whole()

    def spans(self) -> NDArray[np.int32]:
        raise _whole()

    def leg_vectors(self, leg: str, documents: Handles) -> Iterator[Any]:
        raise _whole()

    def leg_weights(self, leg: str) -> Iterator[Any]:
        raise _whole()


def _whole() -> UnsupportedByStoreError:
    message = "this reads the whole collection, and the view has a filter; use the whole collection"
    return UnsupportedByStoreError(message, field="vectors")
