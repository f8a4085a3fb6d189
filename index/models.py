"""The models of a collection's encoders: their names, paths and weights."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from ..encoders import EncoderConfig, EncoderLoader, load_encoder
from ..encoders.model_paths import (
    absolute_encoder,
    digest_keys,
    named,
    replace_models,
    revision_of,
)
from ..llm.weights.by_digest import digest_of
from .config import CollectionConfig


def model_names(config: CollectionConfig) -> list[str]:
    """Return the names or paths of the models of all encoders in a configuration."""
    return [model for leg in config.legs.values() for _, model in named(leg.encoder)]


def absolute(config: CollectionConfig, encoders: EncoderLoader = load_encoder) -> CollectionConfig:
    """Return the configuration with the paths of model folders made absolute.

    encoders: function that loads the encoders.

    If `encoders` is not `load_encoder`, returns `config` unchanged, because model names are then not
    paths.
    """
    function = encoders.func if isinstance(encoders, partial) else encoders
    if function is not load_encoder:
        return config
    resolved = {name: absolute_encoder(leg.encoder) for name, leg in config.legs.items()}
    return with_encoders(config, resolved)


def with_encoders(
    config: CollectionConfig, encoders: Mapping[str, EncoderConfig]
) -> CollectionConfig:
    """Return the configuration with other encoders.

    encoders: leg -> its new encoder, of the same kind as before. Other legs keep their encoder.
    """
    legs = {
        name: leg.model_copy(update={"encoder": encoders[name]})
        for name, leg in config.legs.items()
        if encoders.get(name, leg.encoder) != leg.encoder
    }
    return config.model_copy(update={"legs": {**config.legs, **legs}}) if legs else config


def same_models(
    wanted: CollectionConfig,
    stored: CollectionConfig,
    fingerprints: Mapping[str, Mapping[str, object]],
) -> CollectionConfig:
    """Return `wanted` with the model names of `stored` where both refer to the same model.

    Two names refer to the same model if the digests of the models' weights are equal.

    fingerprints: leg -> fingerprint of its encoder, which contains the digests of the models in
        `stored`.
    """
    wanted, stored = absolute(wanted), absolute(stored)
    encoders = {
        name: _same_models(leg.encoder, stored.legs[name].encoder, fingerprints.get(name, {}))
        for name, leg in wanted.legs.items()
        if name in stored.legs
    }
    return with_encoders(wanted, encoders)


def _same_models(
    wanted: EncoderConfig, stored: EncoderConfig, fingerprint: Mapping[str, object]
) -> EncoderConfig:
    own, update, keys = dict(named(wanted)), {}, digest_keys(stored)
    for field, model in named(stored):
        other, digest = own.get(field, model), fingerprint.get(keys[field])
        if other == model or digest is None:
            continue
        if digest_of(other, revision=revision_of(field, wanted)) == digest:
            update[field] = model
    same = replace_models(wanted, update)
    if "model" not in update:
        return same
    return same.model_copy(update={"revision": getattr(stored, "revision", None)})
