"""Where an encoder's models are on disk, and how they are found after their folders have moved.

A model's name may be the path of a folder. Collections store the absolute path. The
fingerprint of the encoder contains a digest of the model's weights. If the folder moves, Twindex
finds the model by this digest.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..core import ModelError
from ..llm.fake import NAME as FAKE
from ..llm.weights.by_digest import digest_of, find_by_digest
from ..llm.weights.places import local_path, shown
from .config import EncoderConfig


def named(encoder: EncoderConfig) -> Iterator[tuple[str, str]]:
    """Yield (field, model name) for each model of an encoder's configuration.

    For a model of an inner encoder, the field is a path such as "queries.model".
    """
    for field in encoder.models:
        model = getattr(encoder, field, None)
        if model is not None:
            yield field, model
    for name, part in encoder.inner.items():
        for field, model in named(part):
            yield f"{name}.{field}", model


def digest_keys(encoder: EncoderConfig) -> dict[str, str]:
    """Return field (as in `named`) -> fingerprint key of the digest of the field's model."""
    keys = dict(encoder.models)
    for name, part in encoder.inner.items():
        keys |= {f"{name}.{field}": f"{name}.{key}" for field, key in digest_keys(part).items()}
    return keys


def replace_models(encoder: EncoderConfig, models: Mapping[str, str]) -> EncoderConfig:
    """Return a copy of the configuration with new model names and unchanged revisions.

    models: field (as in `named`) -> new model name.
    """
    update: dict[str, Any] = {field: name for field, name in models.items() if "." not in field}
    for name, part in encoder.inner.items():
        inner = _inside(models, name)
        if inner:
            update[name] = replace_models(part, inner)
    return encoder.model_copy(update=update) if update else encoder


def _inside(models: Mapping[str, str], part: str) -> dict[str, str]:
    """Return the items of `models` for the inner encoder `part`, with keys relative to it.

    For the part "queries", the key "queries.model" becomes "model".
    """
    start = f"{part}."
    return {
        field.removeprefix(start): name for field, name in models.items() if field.startswith(start)
    }


def absolute_name(model: str) -> str:
    """Return the absolute path if `model` is a folder or file, else `model` unchanged.

    Symbolic links are not resolved. Raises ModelError for a path that cannot be read.
    """
    if model == FAKE or (place := local_path(model)) is None:
        return model
    path = Path(model).expanduser()
    plain = os.path.abspath(path)
    # `link/..` is the parent of the link's target. A path without `..` may be another folder.
    return plain if os.path.realpath(plain) == str(place) else str(path.absolute())


def absolute_encoder(encoder: EncoderConfig) -> EncoderConfig:
    """Return a copy of the configuration with absolute paths for model folders."""
    return replace_models(encoder, {field: absolute_name(name) for field, name in named(encoder)})


def with_models(encoder: EncoderConfig, models: Mapping[str, str]) -> EncoderConfig:
    """Return a copy of the configuration with new model names.

    An encoder whose field `model` is replaced gets the revision None.

    models: field (as in `named`) -> new model name.
    """
    changed = replace_models(encoder, models)
    update: dict[str, Any] = {
        name: with_models(part, inner)
        for name, part in changed.inner.items()
        if (inner := _inside(models, name))
    }
    if "model" in models:
        update["revision"] = None
    return changed.model_copy(update=update) if update else changed


def relocated(
    encoder: EncoderConfig,
    fingerprint: Mapping[str, object],
    models: Iterable[str],
    error: ModelError,
) -> EncoderConfig:
    """Return a copy of the configuration with new paths for models that have moved.

    A model has moved if its path is missing, or if the weights there have another digest than in
    the fingerprint. `find_by_digest` then searches for weights with the right digest.

    fingerprint: the stored fingerprint of the encoder.
    models:      names and folders of models that `find_by_digest` searches first.
    error:       the error that loading `encoder` raised.

    Raises `error` if no model has moved. Raises ModelError, with the text of `error` and a remedy,
    if a model has moved and is not found.
    """
    update, keys = {}, digest_keys(encoder)
    for field, model in named(encoder):
        digest = fingerprint.get(keys[field])
        if not isinstance(digest, str):
            continue
        if digest_of(model, revision=revision_of(field, encoder)) == digest:
            continue
        place = find_by_digest(digest, models)
        if place is None:
            raise ModelError(
                f"{error}. The weights of model {shown(model)} (digest {digest}) were not found "
                "under another name in TWINDEX_MODELS, the installed packages or the cache. If "
                "the model is in a new folder, run twindex repoint COLLECTION PATH"
            ) from error
        update[field] = str(place)
    if not update:
        raise error
    return with_models(encoder, update)


def revision_of(field: str, encoder: EncoderConfig) -> str | None:
    """Return the revision of the model in `field` (as in `named`).

    The revision is None for all fields except "model", because only "model" can have a revision.
    """
    part, dot, inner = field.partition(".")
    if dot:
        return revision_of(inner, encoder.inner[part])
    return getattr(encoder, "revision", None) if field == "model" else None
