"""An exhaustive store in memory: the reference that other stores are compared with."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from twindex.core import (
    Contribution,
    DeletedCount,
    Document,
    NotFoundError,
    Passage,
    TermWeight,
    UpdateReport,
)
from twindex.core import InvalidInputError as Invalid
from twindex.core.errors import shown
from twindex.core.filters import (
    STRING,
    And,
    Dated,
    Equal,
    Exists,
    In,
    Not,
    Or,
    Prefix,
    check_selective,
    flatten,
)
from twindex.core.filters.conditions import tested
from twindex.core.filters.dates import instant
from twindex.index import CollectionTerms, FieldValues, LegResult, OutdatedError, Written
from twindex.index.store_protocol import taken

MOST_PASSAGES = 1 << 20
"""A passage's handle is its document's handle times this number, plus its position."""
COMPARE = {
    "eq": lambda a, b: a == b,
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
}


def meets(document: Document, condition) -> bool:
    """Return True if a document meets a condition, evaluated literally."""
    match condition:
        case And(parts):
            return all(meets(document, part) for part in parts)
        case Or(parts):
            return any(meets(document, part) for part in parts)
        case Not(part):
            return not meets(document, part)
        case In(key, wanted):
            return any(meets(document, Equal(key, kind, value)) for kind, value in wanted)
    fields = list(flatten(document.metadata))
    own = {"id": document.id, "title": document.title}.get(condition.key)
    if isinstance(condition, Exists):
        inside = f"{condition.key}."
        return bool(own) or any(
            key == condition.key or key.startswith(inside) for key, _, _ in fields
        )
    values = [v for key, kind, v in fields if (key, kind) == (condition.key, condition.kind)]
    if own is not None and condition.kind == STRING:
        values.append(own)
    match condition:
        case Equal(_, _, wanted):
            return wanted in values
        case Prefix(_, text):
            return any(value.startswith(text) for value in values)
        case Dated():
            values = [at for value in values if (at := instant(value)) is not None]
    return any(all(COMPARE[name](v, bound) for name, bound in condition.bounds) for v in values)


@dataclass(frozen=True)
class Stored:
    """A document with its passages, and one representation per passage for each leg."""

    number: int
    document: Document
    spans: list
    legs: dict[str, list]


@dataclass(frozen=True)
class State:
    generation: int = 0
    stored: Mapping[str, Stored] = field(default_factory=dict)


class ReferenceView:
    def __init__(self, config, state: State) -> None:
        self.config = config
        self.generation = state.generation
        self._stored = {one.number: one for one in state.stored.values()}
        self._numbers = {name: one.number for name, one in state.stored.items()}

    def select(self, where) -> set[int]:
        known = self._stored.items()
        return {n for n, one in known if where is None or meets(one.document, where)}

    def among(self, documents) -> set[int]:
        return set(documents.tolist())

    def _check(self, leg) -> None:
        if leg not in self.config.legs:
            raise Invalid(f"there is no leg {leg!r}; there are {', '.join(self.config.legs)}")

    def search(self, leg, queries, depth, within, how=None) -> list[LegResult]:
        self._check(leg)
        return [self._search(leg, queries.at(i), depth, within) for i in range(len(queries))]

    def _search(self, leg, query, depth, within) -> LegResult:
        best = []
        for number in sorted(within):
            for position, passage in enumerate(self._stored[number].legs[leg]):
                score = self._score(leg, query, passage)
                if score is not None:
                    best.append((-score, number, position))
        firsts: dict[int, tuple[float, int]] = {}
        for negative, number, position in sorted(best):
            firsts.setdefault(number, (-negative, position))
        found = list(firsts.items())[:depth]
        return LegResult(
            np.array([number for number, _ in found], dtype=np.int64),
            np.array([score for _, (score, _) in found], dtype=np.float32),
            np.array([n * MOST_PASSAGES + position for n, (_, position) in found], dtype=np.int64),
            complete=len(firsts) <= depth,
        )

    def _score(self, leg, query, passage) -> float | None:
        if self.config.legs[leg].kind == "dense":
            return float((query.dense @ passage.dense.T).max(axis=1).sum())
        terms = self._contributions(leg, query, passage)
        return sum(term.score for term in terms) if terms else None

    def _contributions(self, leg, query, passage) -> list[Contribution]:
        config = self.config.legs[leg]
        if config.kind == "dense":
            return []
        if config.kind == "sparse":
            one, two = query.sparse.toarray()[0], passage.sparse.toarray()[0]
            return [
                Contribution(str(i), float(one[i] * two[i]), float(one[i]), float(two[i]))
                for i in np.flatnonzero((one > 0) & (two > 0)).tolist()
            ]
        counts = [p.terms[0] for one in self._stored.values() for p in one.legs[leg]]
        average = sum(sum(one.values()) for one in counts) / len(counts)
        own = passage.terms[0]
        found = []
        for term, times in query.terms[0].items():
            if term in own:
                df = sum(term in one for one in counts)
                factor = times * math.log(1 + (len(counts) - df + 0.5) / (df + 0.5))
                length = sum(own.values()) / average
                norm = config.k1 * (1 - config.b + config.b * length)
                weight = own[term] / (own[term] + norm)
                found.append(Contribution(term, factor * weight, factor, weight))
        return found

    def _at(self, passages) -> Iterator[tuple[Stored, int]]:
        for handle in passages.tolist():
            yield self._stored[handle // MOST_PASSAGES], handle % MOST_PASSAGES

    def explain(self, leg, query, passages) -> Iterator[list[Contribution]]:
        self._check(leg)
        for one, position in self._at(passages):
            yield self._contributions(leg, query, one.legs[leg][position])

    def terms(self, leg, passages) -> Iterator[list[TermWeight]]:
        self._check(leg)
        for one, position in self._at(passages):
            passage = one.legs[leg][position]
            weights = dict(passage.terms[0]) if passage.terms else {}
            if passage.sparse is not None:
                row = passage.sparse.toarray()[0]
                weights = {str(i): float(row[i]) for i in np.flatnonzero(row).tolist()}
            ordered = sorted(weights.items(), key=lambda item: (-item[1], item[0]))
            yield [TermWeight(term, weight) for term, weight in ordered]

    def passages(self, passages, neighbours: int = 0) -> list:
        found = []
        for one, position in self._at(passages):
            spans = one.spans[max(0, position - neighbours) : position + neighbours + 1]
            whole = one.spans[position] is None
            found.append(
                None if whole else Passage(min(s.start for s in spans), max(s.end for s in spans))
            )
        return found

    def frequencies(self, leg, terms) -> dict[str, int]:
        self._check(leg)
        rows = [passage.terms[0] for one in self._stored.values() for passage in one.legs[leg]]
        return {term: sum(term in row for row in rows) for term in terms}

    def statistics(self, leg, terms) -> CollectionTerms:
        self._check(leg)
        rows = [passage.terms[0] for one in self._stored.values() for passage in one.legs[leg]]
        return CollectionTerms(
            len(rows),
            sum(sum(row.values()) for row in rows),
            self.frequencies(leg, terms),
            {term: sum(row.get(term, 0) for row in rows) for term in terms},
        )

    def names(self, documents) -> dict[int, str]:
        return {number: self._stored[number].document.id for number in documents}

    def documents(self, documents) -> dict[int, Document]:
        return {number: self._stored[number].document for number in documents}

    def sizes(self, documents) -> dict[int, int]:
        return {n: _size(one) for n, one in self.documents(documents).items()}

    def get(self, name: str) -> Document:
        if name not in self._numbers:
            raise NotFoundError(f"there is no document {shown(name)}")
        return self._stored[self._numbers[name]].document

    def page(self, after, limit, where, *, most_bytes=None) -> list[Document]:
        if limit < 1:
            raise Invalid(f"must be at least 1, got {limit}", field="limit")
        known = (self.get(name) for name in sorted(self._numbers) if name > (after or ""))
        found = [one for one in known if where is None or meets(one, where)][:limit]
        size = 0
        for i, one in enumerate(found):
            size += _size(one)
            if most_bytes is not None and size > most_bytes and i > 0:
                return found[:i]
        return found

    def count(self, where) -> int:
        return len(self.select(where))

    def matching(self, where) -> np.ndarray:
        return np.array(sorted(self.select(where), reverse=True), dtype=np.int64)

    def values(self, key, documents) -> FieldValues:
        pairs = []
        for position, number in enumerate(documents.tolist()):
            one = self._stored[number].document
            own = {"id": one.id, "title": one.title}.get(key)
            pairs += [(position, (STRING, own))] if own else []
            known = flatten(one.metadata)
            pairs += [(position, (kind, value)) for name, kind, value in known if name == key]
        return FieldValues.of(pairs)

    def passage_count(self, where) -> int:
        return sum(len(self._stored[number].spans) for number in self.select(where))

    def fields(self, limit: int = 100, where=None) -> list[tuple[str, int]]:
        known = (flatten(self._stored[n].document.metadata) for n in self.select(where))
        return sorted({(key, kind) for fields in known for key, kind, _ in fields})[:limit]

    def warnings(self, where) -> list[str]:
        unknown = [key for key in sorted(tested(where)) if not self._has(key)] if where else []
        return [f"filter: no document has a field {key!r}" for key in unknown]

    def _has(self, key: str) -> bool:
        return key in ("id", "title") or bool(self.select(Exists(key)))


def _size(document: Document) -> int:
    parts = (document.title, document.text, json.dumps(document.metadata, ensure_ascii=False))
    return sum(len(part.encode()) for part in parts)


class ReferenceStore:
    """Stores every document with its encodings. A view keeps the state in which it was opened."""

    capabilities = frozenset({"explain", "snapshots", "updates"})

    def __init__(self, directory, config) -> None:
        self.directory = directory
        self.config = config
        self._state = State()
        self._next = 7  # Handles must not be positions.
        self._fingerprints: dict = {}

    @contextmanager
    def view(self) -> Iterator[ReferenceView]:
        yield ReferenceView(self.config, self._state)

    def _change(self, stored: dict[str, Stored]) -> None:
        self._state = State(self._state.generation + 1, stored)

    def unchanged(self, documents) -> dict[str, int]:
        known = self._state.stored
        return {
            one.id: known[one.id].number
            for one in documents
            if one.id in known and known[one.id].document == one
        }

    def write(
        self, batch, legs, *, unchanged=None, record=None, within=None, check=None
    ) -> Written:
        stored = dict(self._state.stored)
        for name, number in (unchanged or {}).items():
            if name not in stored or stored[name].number != number:
                raise OutdatedError(f"document {name} was replaced or deleted")
        known = {item.document.id for item in batch} & set(stored)
        for name in sorted(known):
            if within is not None and not meets(stored[name].document, within):
                raise taken(name)
        if check is not None:
            check({name: stored[name].document for name in known})
        row = 0
        for item in batch:
            rows = range(row, row := row + item.count)
            own = {leg: [legs[leg].at(i) for i in rows] for leg in self.config.legs}
            stored.pop(item.document.id, None)
            spans = list(item.passages) or [None]
            stored[item.document.id] = Stored(self._next, item.document, spans, own)
            self._next += 3
        self._change(stored)
        written = Written(len({item.document.id for item in batch}), len(known))
        if record is not None:
            record(None, written)
        return written

    def delete(self, ids, *, within=None, check=None) -> list[str]:
        found = [
            name
            for name in dict.fromkeys(ids)
            if name in self._state.stored
            and (within is None or meets(self._state.stored[name].document, within))
        ]
        for name in found:
            if check is not None:
                check(self._state.stored[name].document)
        self._change({n: one for n, one in self._state.stored.items() if n not in found})
        return found

    def delete_where(self, where) -> DeletedCount:
        check_selective(where)
        with self.view() as view:
            warnings = view.warnings(where)
        doomed = [n for n, one in self._state.stored.items() if meets(one.document, where)]
        return DeletedCount(len(self.delete(doomed)), warnings)

    def update(self, ids, change, *, within=None) -> UpdateReport:
        stored, changed, met, missing = dict(self._state.stored), 0, 0, []
        for name in dict.fromkeys(ids):
            one = stored.get(name)
            if one is None or (within is not None and not meets(one.document, within)):
                missing.append(name)
                continue
            new = change(one.document)
            met += 1
            changed += new.tag != one.document.tag
            stored[name] = replace(one, document=new)
        self._change(stored)
        return UpdateReport(changed, met - changed, tuple(missing))

    def update_where(self, where, change) -> UpdateReport:
        with self.view() as view:
            warnings = tuple(view.warnings(where))
        met = [n for n, one in self._state.stored.items() if meets(one.document, where)]
        return replace(self.update(met, change), warnings=warnings)

    def fingerprints(self) -> dict:
        return dict(self._fingerprints)

    def bind(self, fingerprints) -> dict:
        self._fingerprints = {**fingerprints, **self._fingerprints}
        return self.fingerprints()

    def describe(self) -> dict:
        stored = self._state.stored
        return {
            "documents": len(stored),
            "passages": sum(len(one.spans) for one in stored.values()),
            "generation": self._state.generation,
        }

    def close(self) -> None:
        pass
