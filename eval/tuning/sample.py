"""Reads the data that `tune` measures with: a sample of a collection's vectors, and queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ...core import InvalidInputError, NotFoundError, Progress, Qrels, Query
from ...encoders import EncoderLoader
from ...index import DenseLeg, Handles, VectorView, require
from ...search import Collection
from ...search.encoding.brought import BroughtVectors
from ...search.encoding.leg_encoders import LegEncoders

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Sample:
    """The vectors of a dense leg for a random sample of documents. Each passage has one vector.

    vectors: float32 [n, d].
    owners:  int64 [n], for each vector the handle (internal number) of its document, ascending.
    ids:     document handle -> document id.
    total:   number of passages of the whole collection, without deleted documents.
    rounded: True if the collection stores vectors with less precision than the encoder returns.
    """

    vectors: Vectors
    owners: Handles
    ids: Mapping[int, str]
    total: int
    rounded: bool

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def documents(self) -> int:
        return len(self.ids)

    @property
    def complete(self) -> bool:
        """True if the sample is the whole collection."""
        return len(self) == self.total


@dataclass(frozen=True, slots=True)
class Queries:
    """The encoded queries that `tune` measures with.

    vectors: float32 [n, d].
    own:     int64 [n]. For a query that is a document of the collection, the handle of this
             document, which does not count as a result. -1 for any other query.
    ids:     id of each query.
    qrels:   judgements. None: there are none.
    given:   number of queries from which these n queries were chosen at random.
    """

    vectors: Vectors
    own: NDArray[np.int64]
    ids: Sequence[str]
    qrels: Qrels | None
    given: int

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def sampled(self) -> bool:
        """True if the queries are documents of the collection."""
        return bool(len(self.own)) and bool((self.own >= 0).all())


def dense_leg(collection: Collection, name: str) -> DenseLeg:
    """Return the configuration of a dense leg whose storage can be tuned.

    Raises NotFoundError for an unknown name, and InvalidInputError for a leg that is not dense or
    that has several vectors for a text.
    """
    legs = collection.config.legs
    if name not in legs:
        raise NotFoundError(f"there is no leg {name!r}; the legs are {', '.join(legs)}")
    leg = legs[name]
    if not isinstance(leg, DenseLeg):
        raise InvalidInputError(f"must be a dense leg, got {name!r} ({leg.kind})", field="leg")
    if leg.multi:
        raise InvalidInputError(
            f"leg {name!r} has several vectors per text, which are always searched exactly; choose "
            "a leg with one vector per text",
            field="leg",
        )
    return leg


def read_sample(
    collection: Collection,
    leg: str,
    max_passages: int,
    seed: int,
    judged: Qrels | None,
    progress: Progress,
) -> Sample:
    """Read the vectors of a random sample of documents.

    max_passages: maximum number of passages in the sample. A smaller collection is read completely.
    judged:       judgements, whose relevant documents are all in the sample. None: there are none.

    Raises InvalidInputError if there are fewer than two documents, if `max_passages` has room for
    fewer than two, or if the relevant documents have more passages than `max_passages`.
    """
    require(collection.store, "vectors")
    with collection.store.view() as state:
        view = cast(VectorView, state)
        owners = view.owners()
        names = view.names(np.unique(owners).tolist())
        if len(names) < 2:
            raise InvalidInputError(
                f"the collection must have at least 2 documents, got {len(names)} in "
                f"{collection.path}; add documents first"
            )
        relevant = {d for grades in (judged or {}).values() for d, g in grades.items() if g > 0}
        first = [number for number, name in names.items() if name in relevant]
        chosen = _choose(owners, np.array(first, dtype=np.int64), max_passages, seed)
        progress.start("read", int(np.isin(owners, chosen).sum()), "vectors")
        blocks = []
        for block in view.leg_vectors(leg, chosen):
            blocks.append(block)
            progress.advance(len(block[0]))
        rounded = view.is_rounded(leg)
    documents = np.concatenate([documents for documents, _ in blocks])
    vectors = np.concatenate([vectors for _, vectors in blocks])
    order = np.argsort(documents, kind="stable")
    ids = {document: names[document] for document in chosen.tolist()}
    return Sample(vectors[order], documents[order], ids, len(owners), rounded)


def sampled_queries(sample: Sample, number: int, seed: int) -> Queries:
    """Return at most `number` random documents of the sample as queries.

    The query vector is the vector of the document's first passage.
    """
    _, first = np.unique(sample.owners, return_index=True)
    chosen = np.random.default_rng(seed).permutation(len(first))[:number]
    rows = np.sort(first[chosen])
    own = sample.owners[rows]
    ids = [sample.ids[int(number)] for number in own]
    return Queries(sample.vectors[rows], own, ids, None, len(first))


def encoded_queries(
    collection: Collection,
    leg: str,
    queries: Sequence[Query],
    qrels: Qrels | None,
    number: int,
    seed: int,
    load: EncoderLoader,
    progress: Progress,
) -> Queries:
    """Choose at most `number` queries at random, and encode them with the leg's encoder.

    A query that brings a vector for the leg is not encoded.

    qrels: judgements, with at least one for every query. None: there are none.
    load:  function that loads the encoder.

    Raises InvalidInputError for a vector that the leg does not accept, and for a query without a
    vector if the leg encodes no text.
    """
    order = np.random.default_rng(seed).permutation(len(queries))[:number]
    chosen = [queries[i] for i in np.sort(order).tolist()]
    encoders = LegEncoders(collection.config, load)
    encoders.set_stored_fingerprints(collection.store.fingerprints())
    texts = [query.text for query in chosen if leg not in query.vectors]
    if texts and not collection.config.legs[leg].encoder.encodes_text:
        missing = next(query.id for query in chosen if leg not in query.vectors)
        raise InvalidInputError(
            f"query {missing!r} has no vector for leg {leg!r}, which encodes no text; give each "
            "query a vector, or leave out `queries`, so that documents of the collection serve as "
            "queries",
            field="queries",
        )
    brought = BroughtVectors(collection.config, encoders)
    rows = {query.id: _brought(brought, leg, query) for query in chosen if leg in query.vectors}
    if texts:
        progress.start("encode", len(texts), "queries")
        batch = encoders[leg].encode(texts, role="query", advance=progress.advance)
        assert batch.dense is not None, "encoders of dense legs fill it"
        written = iter(batch.dense)
    vectors = [rows[query.id] if query.id in rows else next(written) for query in chosen]
    judged = None if qrels is None else {query.id: qrels[query.id] for query in chosen}
    return Queries(
        np.array(vectors, dtype=np.float32),
        np.full(len(chosen), -1, dtype=np.int64),
        [query.id for query in chosen],
        judged,
        len(queries),
    )


def _brought(brought: BroughtVectors, leg: str, query: Query) -> Vectors:
    """Return the vector, float32 [d], that a query brings. The error for a wrong one names it."""
    try:
        found = brought.query(leg, query.vectors[leg]).dense
    except InvalidInputError as error:
        raise InvalidInputError(f"query {query.id!r}: {error.message}", field=error.field) from None
    assert found is not None, "the leg is dense"
    row: Vectors = found[0]
    return row


def _choose(
    owners: NDArray[np.int64], first: NDArray[np.int64], max_passages: int, seed: int
) -> NDArray[np.int64]:
    """Choose documents that together have at most `max_passages` passages.

    Returns the handles (internal numbers) of the documents in ascending order.

    owners: handle of the document of each passage.
    first:  handles of documents that are always chosen. The others are chosen at random.
    """
    numbers, passages = np.unique(owners, return_counts=True)
    if len(owners) <= max_passages:
        return numbers
    order = np.random.default_rng(seed).permutation(len(numbers))
    order = order[np.argsort(~np.isin(numbers[order], first), kind="stable")]
    within = np.cumsum(passages[order]) <= max_passages
    if len(first) and not within[len(first) - 1]:
        raise InvalidInputError(
            f"the relevant documents alone have more than {max_passages:,} passages; choose a "
            "larger sample",
            field="sample",
        )
    if np.count_nonzero(within) < 2:
        raise InvalidInputError(
            f"a sample of {max_passages:,} passages has room for fewer than 2 documents; choose a "
            "larger sample",
            field="sample",
        )
    chosen: NDArray[np.int64] = np.sort(numbers[order[within]])
    return chosen
