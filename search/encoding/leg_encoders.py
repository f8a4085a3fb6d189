"""The encoders of a collection's legs."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping, Sequence

from ...core import ConfigError, EncoderMismatchError, ModelError
from ...encoders import Encoder, EncoderConfig, EncoderLoader
from ...encoders.model_paths import relocated
from ...index import CollectionConfig, DenseLeg

logger = logging.getLogger(__name__)


class LegEncoders:
    """The encoder of each leg, loaded when first needed; legs with equal `key` share it.

    Each is compared with the fingerprint that the collection stored, if it has stored one. A model
    that is no longer in its place is found again by the digest there.
    """

    def __init__(
        self, config: CollectionConfig, load: EncoderLoader, models: Sequence[str] = ()
    ) -> None:
        """models: where models that have moved may be; see `find_by_digest`."""
        self._config = config
        self._load = load
        self._models = models
        self._keys = {name: leg.encoder.on("auto") for name, leg in config.legs.items()}
        self._loaded: dict[EncoderConfig, Encoder] = {}
        self._expected: Mapping[str, Mapping[str, object]] = {}
        self._checked: set[str] = set()
        self._lock = threading.Lock()

    def __getitem__(self, leg: str) -> Encoder:
        """Raises EncoderMismatchError when it is not the encoder that made the collection."""
        key = self._keys[leg]
        with self._lock:
            encoder = self._loaded.get(key)
            if encoder is None:
                encoder = self._loaded[key] = self._found(leg)
            if leg not in self._checked and leg in self._expected:
                _compare(leg, key.models, encoder.fingerprint, self._expected[leg])
                self._checked.add(leg)
            return encoder

    def _found(self, leg: str) -> Encoder:
        """The encoder of a leg, from where its models are now."""
        config = self._config.legs[leg].encoder
        try:
            return self._load(config)
        except ModelError as error:
            moved = relocated(config, self._expected.get(leg, {}), self._models, error)
        logger.info("leg %s: its model has moved; the same weights are read from elsewhere", leg)
        return self._load(moved)

    def key(self, leg: str) -> EncoderConfig:
        """What legs that share an encoder have in common: all of its configuration but the
        device."""
        return self._keys[leg]

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

    def check_widths(self) -> None:
        """Raise ConfigError for vectors that cannot be stored as configured, because of their
        number of dimensions. It would else be found when the first index is built."""
        for name, leg in self._config.legs.items():
            if not isinstance(leg, DenseLeg) or (leg.projection is None and leg.codec is None):
                continue
            dense = self[name].encode(["text"], role="document").dense
            assert dense is not None, "the encoder of a dense leg"
            try:
                leg.storage.check_width(dense.shape[1])
            except ConfigError as error:
                raise ConfigError(error.message, field=f"legs.{name}.{error.field}") from None

    def groups(self) -> dict[EncoderConfig, list[str]]:
        """Legs by encoder: each encoder reads a text once for all of its legs."""
        groups: dict[EncoderConfig, list[str]] = {}
        for name, key in self._keys.items():
            groups.setdefault(key, []).append(name)
        return groups


def _compare(
    leg: str,
    models: Mapping[str, str],
    actual: Mapping[str, object],
    stored: Mapping[str, object],
) -> None:
    # What is stored went through JSON, which has lists only.
    actual = json.loads(json.dumps(dict(actual)))
    # The same weights under another name are the same model.
    names = {
        name for name, key in models.items() if key in stored and actual.get(key) == stored[key]
    }
    changed = sorted(
        key for key in {*actual, *stored} - names if actual.get(key) != stored.get(key)
    )
    if changed:
        raise EncoderMismatchError(
            f"leg {leg!r} was indexed by another encoder: "
            + "; ".join(
                f"{key} was {stored.get(key)!r} and is {actual.get(key)!r}" for key in changed
            )
            + ". Use the encoder that built the collection: if its model is elsewhere now, "
            "`twindex repoint`; if it was made with encoders of your own, give them again, "
            "Collection.open(path, encoders=...); else build it anew"
        )
