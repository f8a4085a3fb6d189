"""Where the models of a configuration are.

A name may be a folder. What is stored is its absolute path, and what identifies the model is the
digest of its weights, which the fingerprints of encoders have.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ..core import AnalyzerConfig, CollectionConfig, ModelError
from ..llm.fake import NAME as FAKE
from ..llm.weights.by_digest import digest_of, find_by_digest
from ..llm.weights.places import local_path, shown
from .loading import load_encoder
from .protocol import EncoderConfig, EncoderLoader

DIGESTS = {"model": "weights", "expansion_model": "expansion_weights"}
"""Fields of encoders that name a model -> where a fingerprint has the digest of its weights."""


def named(encoder: EncoderConfig) -> Iterator[tuple[str, str]]:
    """(field, model) of an encoder."""
    if not isinstance(encoder, AnalyzerConfig):
        for field in DIGESTS:
            model = getattr(encoder, field, None)
            if model is not None:
                yield field, model


def model_names(config: CollectionConfig) -> list[str]:
    """All models of a configuration."""
    return [model for leg in config.legs.values() for _, model in named(leg.encoder)]


def absolute(config: CollectionConfig, encoders: EncoderLoader = load_encoder) -> CollectionConfig:
    """The configuration with folders of models by their absolute paths.

    Only `load_encoder` takes names for folders: with other `encoders` names stay as they are.
    """
    function = encoders.func if isinstance(encoders, partial) else encoders
    if function is not load_encoder:
        return config
    encoders_here = {name: _absolute(leg.encoder) for name, leg in config.legs.items()}
    return with_encoders(config, encoders_here)


def with_encoders(
    config: CollectionConfig, encoders: Mapping[str, EncoderConfig]
) -> CollectionConfig:
    """The configuration with other encoders of the same kinds (leg -> encoder)."""
    legs = {
        name: leg.model_copy(update={"encoder": encoders[name]})
        for name, leg in config.legs.items()
        if encoders.get(name, leg.encoder) != leg.encoder
    }
    return config.model_copy(update={"legs": {**config.legs, **legs}}) if legs else config


def absolute_name(model: str) -> str:
    """The absolute path of a folder or file, in which links are kept; another name as it is.

    Raises ModelError for a path that cannot be looked at.
    """
    if model == FAKE or (place := local_path(model)) is None:
        return model
    path = Path(model).expanduser()
    plain = os.path.abspath(path)
    # `link/..` is the parent of the link's target, which a path without `..` may not be.
    return plain if os.path.realpath(plain) == str(place) else str(path.absolute())


def _absolute(encoder: EncoderConfig) -> EncoderConfig:
    update = {field: absolute_name(model) for field, model in named(encoder)}
    return encoder.model_copy(update=update) if update else encoder


def pointed(encoder: EncoderConfig, places: Mapping[str, str]) -> EncoderConfig:
    """The encoder with other names for its models (field -> name)."""
    update: dict[str, Any] = dict(places)
    if "model" in update:
        update["revision"] = None
    return encoder.model_copy(update=update)


def relocated(
    encoder: EncoderConfig,
    fingerprint: Mapping[str, object],
    models: Iterable[str],
    error: ModelError,
) -> EncoderConfig:
    """The encoder with the places where its models are now, for those whose weights are not where
    it says: the path is gone, or holds something else.

    They are found by the digests in the stored fingerprint, see `find_by_digest`. error: why the
    encoder cannot be loaded as it is; raised where every model is where it says or was never used,
    and with the remedy for weights that are not found.
    """
    update = {}
    for field, model in named(encoder):
        digest = fingerprint.get(DIGESTS[field])
        if not isinstance(digest, str):
            continue
        if digest_of(model, revision=_revision(field, encoder)) == digest:
            continue
        place = find_by_digest(digest, models)
        if place is None:
            raise ModelError(
                f"{error}. No listed, installed or cached model has the weights of "
                f"{shown(model)} (digest {digest}) under another name. If they are elsewhere now: "
                "twindex repoint COLLECTION PATH"
            ) from error
        update[field] = str(place)
    if not update:
        raise error
    return pointed(encoder, update)


def same_models(
    wanted: CollectionConfig,
    stored: CollectionConfig,
    fingerprints: Mapping[str, Mapping[str, object]],
) -> CollectionConfig:
    """`wanted` with the stored name of each model that has the stored weights under another."""
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
    own, update = dict(named(wanted)), {}
    for field, model in named(stored):
        other, digest = own.get(field, model), fingerprint.get(DIGESTS[field])
        if other == model or digest is None:
            continue
        if digest_of(other, revision=_revision(field, wanted)) == digest:
            update[field] = model
    if not update:
        return wanted
    revision = (
        getattr(stored, "revision", None) if "model" in update else _revision("model", wanted)
    )
    return wanted.model_copy(update={**update, "revision": revision})


def _revision(field: str, encoder: EncoderConfig) -> str | None:
    return getattr(encoder, "revision", None) if field == "model" else None
