"""Changes the paths or names under which a collection loads its models.

This is necessary after a model folder was moved. The model at the new path must have the same
weights.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...core import EncoderMismatchError, InvalidInputError
from ...encoders.model_paths import absolute_name, digest_keys, named, with_models
from ...llm import find_weights, weights_digest
from ..arrays.files import exclusive
from ..config import CollectionConfig
from ..models import with_encoders
from .database.database import get_meta, set_meta
from .database.tables import read_config
from .folder import LOCK
from .local import LocalStore


def repoint(store: LocalStore, model: str, legs: Sequence[str] | None = None) -> list[str]:
    """Make a collection load the models of some legs from `model`, which has the same weights.

    model: folder or name of a model.
    legs: legs to change. None: every leg whose vectors were computed with the weights of `model`.

    Returns the legs whose configuration changed. The change is on disk on return.

    A leg in `legs` that has no vectors yet accepts any model.

    Raises ModelError if the model cannot be found, InvalidInputError for a leg without a model, and
    EncoderMismatchError if a leg's vectors were computed with other weights.
    """
    model = absolute_name(model)
    digest = weights_digest(find_weights(model))
    with exclusive(store.directory / LOCK, wait=True):
        with store.database.read() as connection:
            if not _changed(connection, model, digest, legs):
                return []
        with store.database.write() as connection:
            changed = _changed(connection, model, digest, legs)
            config, fingerprints = _stored(connection)
            encoders = {
                name: with_models(config.legs[name].encoder, places)
                for name, places in changed.items()
            }
            for name, places in changed.items():
                if name in fingerprints:
                    fingerprints[name] |= {f: Path(place).name for f, place in places.items()}
            config = with_encoders(config, encoders)
            set_meta(connection, "config", config.model_dump_json())
            set_meta(connection, "fingerprints", json.dumps(fingerprints))
    return list(changed)


def _stored(connection: sqlite3.Connection) -> tuple[CollectionConfig, dict[str, Any]]:
    """Return the stored configuration, and leg -> stored fingerprint of its encoder."""
    return read_config(connection), json.loads(get_meta(connection, "fingerprints") or "{}")


def _changed(
    connection: sqlite3.Connection, model: str, digest: str, legs: Sequence[str] | None
) -> dict[str, dict[str, str]]:
    """Return, for each leg that changes: leg -> {field of its encoder: new model name}.

    digest: digest of the weights of `model`.
    legs:   see `repoint`.
    """
    config, fingerprints = _stored(connection)
    models = {name: dict(named(leg.encoder)) for name, leg in config.legs.items()}
    able = ", ".join(name for name, own in models.items() if own) or "none"
    for name in legs or ():
        if not models.get(name):
            raise InvalidInputError(
                f"leg {name!r} has no model; legs with a model: {able}", field=f"legs.{name}"
            )
    found, others = {}, []
    for name in models if legs is None else legs:
        fingerprint = fingerprints.get(name)
        keys = digest_keys(config.legs[name].encoder)
        if fingerprint is None and legs is not None:
            # A leg without vectors accepts any model.
            weights = [key for key in keys.values() if key.rpartition(".")[2] == "weights"]
            fingerprint = dict.fromkeys(weights, digest)
        fields = [f for f in models[name] if (fingerprint or {}).get(keys[f]) == digest]
        if fields:
            found[name] = dict.fromkeys(fields, model)
        elif models[name]:
            others.append(_described(name, models[name], keys, fingerprint))
    if others and (legs is not None or not found):
        raise EncoderMismatchError(
            f"{model} has other weights (digest {digest}) than {'; '.join(others)}. Vectors of "
            "different models cannot be compared; name a model with the same weights, or build the "
            "collection again"
        )
    return {
        name: places
        for name, places in found.items()
        if config.legs[name].encoder != with_models(config.legs[name].encoder, places)
    }


def _described(
    leg: str,
    models: Mapping[str, str],
    keys: Mapping[str, str],
    fingerprint: Mapping[str, object] | None,
) -> str:
    """Return text for an error: a leg's name, its models and the digests of their weights.

    models: field of the encoder -> model name.
    keys: field of the encoder -> key of the model's digest in `fingerprint`.
    fingerprint: fingerprint of the encoder; None: the leg has no vectors yet.
    """
    if fingerprint is None:
        return f"leg {leg!r}, which has no vectors yet and accepts any model if you select it"
    digests = (
        f"{name} with digest {fingerprint.get(keys[field], 'unknown')}"
        for field, name in models.items()
    )
    return f"leg {leg!r} ({', '.join(digests)})"
