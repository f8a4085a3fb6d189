"""Loads the encoders of a collection's legs, and checks that the collection was built with them."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping, Sequence

from ...core import ConfigError, EncoderMismatchError, ModelError, Usage, add_usages
from ...encoders import Encoder, EncoderConfig, EncoderLoader, Gives
from ...encoders.model_paths import digest_keys, relocated
from ...encoders.pair.encoder import width
from ...index import CollectionConfig, DenseLeg

logger = logging.getLogger(__name__)


class LegEncoders:
    """The encoders of a collection's legs. Each encoder is loaded at its first use. Thread-safe.

    Legs whose encoder configurations are equal, except for the device, share one encoder. At the
    first write, the collection stores a fingerprint of each encoder: its model, prompts and
    options. Later, an encoder with another fingerprint is an error. If a model is missing at its
    stored path, a model with the same weights is searched for.
    """

    def __init__(
        self, config: CollectionConfig, load: EncoderLoader, models: Sequence[str] = ()
    ) -> None:
        """Store the arguments; no encoder is loaded.

        load:   function that loads an encoder from its configuration.
        models: names or folders of models to search if a model is missing at its stored path.
        """
        self._config = config
        self._load = load
        self._models = models
        self._keys = {name: leg.encoder.on("auto") for name, leg in config.legs.items()}
        self._loaded: dict[EncoderConfig, Encoder] = {}
        self._expected: Mapping[str, Mapping[str, object]] = {}
        self._checked: set[str] = set()
        self._widths: dict[str, int] = {}
        self._terms: dict[str, Mapping[str, int]] = {}
        self._usage: Usage | None = None
        self._lock = threading.Lock()

    def __getitem__(self, leg: str) -> Encoder:
        """Return the encoder of a leg; load it at the first call.

        Raises EncoderMismatchError if the encoder's fingerprint differs from the stored one.
        """
        key = self._keys[leg]
        with self._lock:
            encoder = self._loaded.get(key)
            if encoder is None:
                encoder = self._loaded[key] = self._load_encoder(leg)
            if leg not in self._checked and leg in self._expected:
                _check_fingerprint(leg, digest_keys(key), encoder.fingerprint, self._expected[leg])
                self._checked.add(leg)
            return encoder

    def is_loaded(self, leg: str) -> bool:
        """Return True if the encoder of a leg is loaded."""
        return self._keys[leg] in self._loaded

    def _load_encoder(self, leg: str) -> Encoder:
        """Load the encoder of a leg. If a model has moved, search for the same weights."""
        config = self._config.legs[leg].encoder
        try:
            return self._load(config)
        except ConfigError as error:
            field = f"legs.{leg}.encoder" + ("" if error.field is None else f".{error.field}")
            raise ConfigError(error.message, field=field) from None
        except ModelError as error:
            moved = relocated(config, self._expected.get(leg, {}), self._models, error)
        logger.info("leg %s: its model has moved; loading the same weights from a new path", leg)
        return self._load(moved)

    def key(self, leg: str) -> EncoderConfig:
        """Return the configuration of a leg's encoder, with the device "auto".

        Legs whose encoders have equal keys share one encoder.
        """
        return self._keys[leg]

    @property
    def complete(self) -> bool:
        """Return True if `set_stored_fingerprints` has set a fingerprint for every leg."""
        return len(self._expected) == len(self._config.legs)

    def set_stored_fingerprints(self, stored: Mapping[str, Mapping[str, object]]) -> None:
        """Set the fingerprints that the encoders must have.

        stored: leg -> fingerprint of its encoder, as stored in the collection.
        """
        self._expected = stored

    def fingerprints(self) -> dict[str, Mapping[str, object]]:
        """Load all encoders. Return leg -> fingerprint of the leg's encoder."""
        return {name: self[name].fingerprint for name in self._config.legs}

    def check_widths(self) -> None:
        """Raise ConfigError if a leg's projection or codec does not fit the vectors' dimensions.

        Without this check, the error would occur only when the first index is built.
        """
        for name, leg in self._config.legs.items():
            if not isinstance(leg, DenseLeg) or (leg.projection is None and leg.codec is None):
                continue
            try:
                leg.storage.check_width(self.width(name))
            except ConfigError as error:
                raise ConfigError(error.message, field=f"legs.{name}.{error.field}") from None

    def width(self, leg: str) -> int:
        """Return the number of dimensions of a dense or sparse leg's vectors.

        If the encoder has no attribute `dimensions`, the first call encodes a short text to find
        the number.
        """
        known = self._widths.get(leg)
        if known is None:
            part: Gives = "dense" if isinstance(self._config.legs[leg], DenseLeg) else "sparse"
            known = self._widths[leg] = width(self[leg], part, "query", self._count)
        return known

    def _count(self, usage: Usage | None) -> None:
        with self._lock:
            self._usage = add_usages(self._usage, usage)

    @property
    def usage(self) -> Usage | None:
        """Return the usage of language models in calls of `width`; None if no model was used."""
        return self._usage

    def terms(self, leg: str) -> Mapping[str, int]:
        """Return the vocabulary of a sparse leg: term -> index. Computed at the first call."""
        known = self._terms.get(leg)
        if known is None:
            name, found = self[leg].term, dict[str, int]()
            for index in range(self.width(leg)):
                found.setdefault(name(index), index)
            known = self._terms[leg] = found
        return known

    def groups(self) -> dict[EncoderConfig, list[str]]:
        """Return encoder key (see `key`) -> names of the legs that share this encoder."""
        groups: dict[EncoderConfig, list[str]] = {}
        for name, key in self._keys.items():
            groups.setdefault(key, []).append(name)
        return groups


def _check_fingerprint(
    leg: str,
    models: Mapping[str, str],
    actual: Mapping[str, object],
    stored: Mapping[str, object],
) -> None:
    # The stored fingerprint was read from JSON, so its tuples are lists.
    actual = json.loads(json.dumps(dict(actual)))
    # A model with the same weights under another name is the same model.
    names = {
        name for name, key in models.items() if key in stored and actual.get(key) == stored[key]
    }
    changed = sorted(
        key for key in {*actual, *stored} - names if actual.get(key) != stored.get(key)
    )
    if changed:
        raise EncoderMismatchError(
            f"leg {leg!r} was indexed with another encoder: "
            + "; ".join(
                f"{key} was {stored.get(key)!r} and is {actual.get(key)!r}" for key in changed
            )
            + ". Use the encoder that built the collection. If its model has moved, run `twindex "
            "repoint`. If you created the collection with encoders of your own, pass them to "
            "Collection.open(path, encoders=...). Otherwise build the collection again"
        )
