"""Queries encoded for every leg, each text once for each encoder."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..core import (
    CollectionConfig,
    Contribution,
    DenseLeg,
    EncoderMismatchError,
    InvalidInputError,
    Representation,
    SparseLeg,
)
from ..encoders import Encoder, EncoderConfig, EncoderLoader
from .request import SearchRequest

_REMEMBERED = 1_024
LARGEST_COMPONENT = 1e18
"""Of a given query vector; beyond it inner products could overflow float32."""


class LegEncoders:
    """The encoder of each leg, loaded when first needed; legs with equal configuration share it.

    Each is compared with the fingerprint that the collection stored, if it has stored one.
    """

    def __init__(self, config: CollectionConfig, load: EncoderLoader) -> None:
        self._config = config
        self._load = load
        self._loaded: dict[EncoderConfig, Encoder] = {}
        self._expected: Mapping[str, Mapping[str, object]] = {}
        self._checked: set[str] = set()
        self._lock = threading.Lock()

    def __getitem__(self, leg: str) -> Encoder:
        """Raises EncoderMismatchError when it is not the encoder that made the collection."""
        config = self._config.legs[leg].encoder
        with self._lock:
            encoder = self._loaded.get(config)
            if encoder is None:
                encoder = self._loaded[config] = self._load(config)
            if leg not in self._checked and leg in self._expected:
                _compare(leg, encoder.fingerprint, self._expected[leg])
                self._checked.add(leg)
            return encoder

    @property
    def complete(self) -> bool:
        """Every leg's stored fingerprint is known."""
        return len(self._expected) == len(self._config.legs)

    def expect(self, stored: Mapping[str, Mapping[str, object]]) -> None:
        """Take note of the fingerprints that the collection stored."""
        self._expected = stored

    def fingerprints(self) -> dict[str, Mapping[str, object]]:
        """Of every leg's encoder; loads them all."""
        return {name: self[name].fingerprint for name in self._config.legs}

    def groups(self) -> dict[EncoderConfig, list[str]]:
        """Legs by encoder: each encoder reads a text once for all of its legs."""
        groups: dict[EncoderConfig, list[str]] = {}
        for name, leg in self._config.legs.items():
            groups.setdefault(leg.encoder, []).append(name)
        return groups


def _compare(leg: str, actual: Mapping[str, object], stored: Mapping[str, object]) -> None:
    # What is stored went through JSON, which has lists only.
    actual = json.loads(json.dumps(dict(actual)))
    changed = sorted(key for key in {*actual, *stored} if actual.get(key) != stored.get(key))
    if changed:
        raise EncoderMismatchError(
            f"leg {leg!r} was indexed by another encoder: "
            + "; ".join(
                f"{key} was {stored.get(key)!r} and is {actual.get(key)!r}" for key in changed
            )
            + ". Use the encoder that built the collection, or build it anew"
        )


class QueryEncoder:
    """Turns requests into the one-row representations that legs search with."""

    def __init__(self, config: CollectionConfig, encoders: LegEncoders) -> None:
        self._config = config
        self._encoders = encoders
        self._known: OrderedDict[tuple[EncoderConfig, str], Representation] = OrderedDict()
        self._lock = threading.Lock()

    def encode(self, leg: str, request: SearchRequest, warnings: list[str]) -> Representation:
        """The query of one leg; tells in `warnings` what its encoder did not read."""
        if leg in request.vectors:
            return self._given(leg, request.vectors[leg])
        assert request.query is not None, "checked by plan()"
        found = self._encode_text(leg, request.query)
        if found.truncated is not None and found.truncated.any():
            warnings.append(f"leg {leg}: the query is longer than its encoder reads; it was cut")
        return found

    def prepare(self, texts: Mapping[str, Sequence[str]]) -> None:
        """Encode the queries of each leg at once, so that `encode` finds them."""
        for leg, queries in texts.items():
            config = self._config.legs[leg].encoder
            missing = [t for t in dict.fromkeys(queries) if (config, t) not in self._known]
            missing = missing[:_REMEMBERED]
            if missing:
                batch = self._encoders[leg].encode(missing, role="query")
                for i, text in enumerate(missing):
                    self._remember(config, text, _row(batch, i))

    def name_terms(self, leg: str, terms: Sequence[Contribution]) -> list[Contribution]:
        """Contributions with vocabulary names in place of indices."""
        if not isinstance(self._config.legs[leg], SparseLeg):
            return list(terms)
        encoder = self._encoders[leg]
        return [replace(term, term=encoder.term(int(term.term))) for term in terms]

    def _encode_text(self, leg: str, text: str) -> Representation:
        config = self._config.legs[leg].encoder
        with self._lock:
            found = self._known.get((config, text))
            if found is not None:
                self._known.move_to_end((config, text))
                return found
        found = self._encoders[leg].encode([text], role="query")
        self._remember(config, text, found)
        return found

    def _remember(self, config: EncoderConfig, text: str, found: Representation) -> None:
        with self._lock:
            self._known[config, text] = found
            while len(self._known) > _REMEMBERED * len(self._config.legs):
                self._known.popitem(last=False)

    def _given(self, leg: str, vector: list[float]) -> Representation:
        config = self._config.legs[leg]
        if not isinstance(config, DenseLeg):
            raise InvalidInputError("only a dense leg takes a vector", field=f"vectors.{leg}")
        exact = np.asarray([vector], dtype=np.float64)
        if not np.all(np.abs(exact) <= LARGEST_COMPONENT):  # False for NaN too.
            raise InvalidInputError(
                f"a component must be a number between -{LARGEST_COMPONENT:g} and "
                f"{LARGEST_COMPONENT:g}",
                field=f"vectors.{leg}",
            )
        dense = exact.astype(np.float32)
        like = self._encode_text(leg, "").dense
        if like is not None and dense.shape != like.shape:
            raise InvalidInputError(
                f"has {dense.shape[1]} dimensions; this leg has {like.shape[1]}",
                field=f"vectors.{leg}",
            )
        return Representation(dense=dense)


def _row(batch: Representation, i: int) -> Representation:
    return Representation(
        dense=None if batch.dense is None else batch.dense[i : i + 1],
        sparse=None if batch.sparse is None else batch.sparse[[i]],
        terms=None if batch.terms is None else [batch.terms[i]],
        truncated=None if batch.truncated is None else batch.truncated[i : i + 1],
    )
