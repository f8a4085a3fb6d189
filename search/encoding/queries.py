"""Queries encoded for every leg, each text once for each encoder."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...core import InvalidInputError, Representation, Usage, add_usages
from ...index import CollectionConfig, DenseLeg, SparseLeg
from ..request import SearchRequest
from ..usage import share
from .leg_encoders import LegEncoders
from .query_cache import HIT, REMEMBERED, Key, alone, digest, remembered

_PREPARED = 1_024
"""Queries of a leg that are encoded together at most."""
LARGEST_COMPONENT = 1e18
"""Of a given query vector; beyond it inner products could overflow float32."""


@dataclass(frozen=True, slots=True)
class EncodedQuery:
    """What legs search with, one row each, in the order of the legs.

    usage:    what language models did for it; None where there is none. A query that was remembered
              is one of its `cache_hits`; legs that share an encoder count once.
    warnings: what encoders did not read.
    """

    legs: Sequence[Representation]
    usage: Usage | None
    warnings: Sequence[str]


class QueryEncoder:
    """Turns requests into the one-row representations that legs search with. Thread-safe."""

    def __init__(self, config: CollectionConfig, encoders: LegEncoders) -> None:
        self._config = config
        self._encoders = encoders
        self._owner = object()
        # What is remembered has the usage that the next who takes it has to count.
        self._usage: Usage | None = None
        self._lock = threading.Lock()

    @property
    def usage(self) -> Usage | None:
        """What language models did for all queries so far."""
        return self._usage

    def encode(self, legs: Sequence[str], request: SearchRequest) -> EncodedQuery:
        """The query of a request for each of `legs`."""
        taken: dict[Key, Representation] = {}
        found = []
        warnings = []
        for leg in legs:
            if leg in request.vectors:
                found.append(self._given(leg, request.vectors[leg], taken))
                continue
            assert request.query is not None, "checked by plan()"
            query = self._take(leg, request.query, taken)
            if query.truncated is not None and query.truncated.any():
                warnings.append(
                    f"leg {leg}: the query is longer than its encoder reads; it was cut"
                )
            found.append(query)
        usage = None
        for representation in taken.values():
            usage = add_usages(usage, representation.usage)
        return EncodedQuery(found, usage, warnings)

    def prepare(self, texts: Mapping[str, Sequence[str]]) -> None:
        """Encode the queries of each leg at once, so that `encode` finds them."""
        for leg, queries in texts.items():
            distinct = list(dict.fromkeys(queries))
            missing = [t for t in distinct if REMEMBERED.get(self._key(leg, t)) is None]
            missing = missing[:_PREPARED]
            if missing:
                batch = self._encoders[leg].encode(missing, role="query")
                self._count(batch.usage)
                for i, text in enumerate(missing):
                    usage = share(batch.usage, i, len(missing))
                    REMEMBERED.put(self._key(leg, text), replace(alone(batch.at(i)), usage=usage))

    def is_sparse(self, leg: str) -> bool:
        """A model chooses the terms of its texts."""
        return isinstance(self._config.legs[leg], SparseLeg)

    def name(self, leg: str, term: str) -> str:
        """A term as people know it: of a sparse leg, the name of the vocabulary's piece."""
        return self._encoders[leg].term(int(term)) if self.is_sparse(leg) else term

    def _take(self, leg: str, text: str, taken: dict[Key, Representation]) -> Representation:
        """A text encoded for a leg, at most once for all that share `taken`."""
        key = self._key(leg, text)
        if key not in taken:
            found = REMEMBERED.get(key, remembered)
            if found is None:
                found = self._encoders[leg].encode([text], role="query")
                self._count(found.usage)
                REMEMBERED.put(key, remembered(found))
            elif found.usage == HIT:  # What `prepare` did it has counted.
                self._count(found.usage)
            taken[key] = found
        return taken[key]

    def close(self) -> None:
        """Forget all queries."""
        REMEMBERED.forget(self._owner)

    def _key(self, leg: str, text: str) -> Key:
        return self._owner, self._encoders.key(leg), digest(text)

    def _count(self, usage: Usage | None) -> None:
        with self._lock:
            self._usage = add_usages(self._usage, usage)

    def _given(
        self, leg: str, vector: list[float], taken: dict[Key, Representation]
    ) -> Representation:
        config = self._config.legs[leg]
        if not isinstance(config, DenseLeg):
            raise InvalidInputError("only a dense leg takes a vector", field=f"vectors.{leg}")
        if config.multi:
            raise InvalidInputError(
                "a query of this leg has several vectors, which cannot be given: search it with a "
                "text (`query`)",
                field=f"vectors.{leg}",
            )
        exact = np.asarray([vector], dtype=np.float64)
        if not np.all(np.abs(exact) <= LARGEST_COMPONENT):  # False for NaN too.
            raise InvalidInputError(
                f"a component must be a number between -{LARGEST_COMPONENT:g} and "
                f"{LARGEST_COMPONENT:g}",
                field=f"vectors.{leg}",
            )
        dense = exact.astype(np.float32)
        like = self._take(leg, "", taken).dense
        if like is not None and dense.shape != like.shape:
            raise InvalidInputError(
                f"has {dense.shape[1]} dimensions; this leg has {like.shape[1]}",
                field=f"vectors.{leg}",
            )
        return Representation(dense=dense)
