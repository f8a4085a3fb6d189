"""What is measured on: vectors of a collection's leg, and queries."""

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
from ...search.encoding.leg_encoders import LegEncoders

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Sample:
    """Vectors with their documents.

    vectors:  float32 [n, d]. owners: int64 [n], the document of each, ascending.
    ids:      document -> id.
    total:    live passages of the whole collection.
    rounded:  they are not as the encoder gave them, because a segment keeps less.
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
        """It is the whole collection."""
        return len(self) == self.total


@dataclass(frozen=True, slots=True)
class Queries:
    """Encoded queries.

    own:   the document that each was taken from, which does not count as found; -1 = none.
    ids:   of each; qrels: judgements, where there are.
    given: how many there were to choose from.
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
        """They are documents of the collection."""
        return bool(len(self.own)) and bool((self.own >= 0).all())


def dense_leg(collection: Collection, name: str) -> DenseLeg:
    """The configuration of a leg whose storage can be chosen. Raises NotFoundError for none of
    that name, and InvalidInputError for one that is not dense or has several vectors a text."""
    legs = collection.config.legs
    if name not in legs:
        raise NotFoundError(f"there is no leg {name!r}; there are {', '.join(legs)}")
    leg = legs[name]
    if not isinstance(leg, DenseLeg):
        raise InvalidInputError(f"the leg {name} is {leg.kind}, not dense", field="leg")
    if leg.multi:
        raise InvalidInputError(
            f"texts of the leg {name} have several vectors, which are always searched exactly",
            field="leg",
        )
    return leg


def read_sample(
    collection: Collection, leg: str, most: int, seed: int, judged: Qrels | None, progress: Progress
) -> Sample:
    """All live vectors of a leg, or those of a random sample of documents with at most `most`
    passages, in which all relevant documents are. Raises InvalidInputError if there are fewer
    than two documents."""
    require(collection.store, "vectors")
    with collection.store.view() as state:
        view = cast(VectorView, state)
        owners = view.owners()
        names = view.names(np.unique(owners).tolist())
        if len(names) < 2:
            raise InvalidInputError(
                f"{collection.path} has {len(names)} documents: there is nothing to find among them"
            )
        relevant = {d for grades in (judged or {}).values() for d, g in grades.items() if g > 0}
        first = [number for number, name in names.items() if name in relevant]
        chosen = _choose(owners, np.array(first, dtype=np.int64), most, seed)
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
    """Vectors of random documents, one each."""
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
    """At most `number` of the queries, read by the encoder of the leg, with their judgements."""
    order = np.random.default_rng(seed).permutation(len(queries))[:number]
    chosen = [queries[i] for i in np.sort(order).tolist()]
    encoders = LegEncoders(collection.config, load)
    encoders.set_stored_fingerprints(collection.store.fingerprints())
    progress.start("encode", len(chosen), "queries")
    batch = encoders[leg].encode(
        [query.text for query in chosen], role="query", advance=progress.advance
    )
    assert batch.dense is not None, "the encoder of a dense leg"
    judged = None if qrels is None else {query.id: qrels[query.id] for query in chosen}
    return Queries(
        np.ascontiguousarray(batch.dense, dtype=np.float32),
        np.full(len(chosen), -1, dtype=np.int64),
        [query.id for query in chosen],
        judged,
        len(queries),
    )


def _choose(
    owners: NDArray[np.int64], first: NDArray[np.int64], most: int, seed: int
) -> NDArray[np.int64]:
    """Documents, ascending: `first`, then random ones while they have at most `most` passages."""
    numbers, passages = np.unique(owners, return_counts=True)
    if len(owners) <= most:
        return numbers
    order = np.random.default_rng(seed).permutation(len(numbers))
    order = order[np.argsort(~np.isin(numbers[order], first), kind="stable")]
    within = np.cumsum(passages[order]) <= most
    if len(first) and not within[len(first) - 1]:
        raise InvalidInputError(
            f"the relevant documents alone have more than {most:,} passages: give a larger sample",
            field="sample",
        )
    if np.count_nonzero(within) < 2:
        raise InvalidInputError("two documents have more passages than that", field="sample")
    chosen: NDArray[np.int64] = np.sort(numbers[order[within]])
    return chosen
