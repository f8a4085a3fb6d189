"""Where the models of an encoder are.

A name may be a folder. What is stored is its absolute path, and what identifies the model is the
digest of its weights, which the fingerprints of encoders have.
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
    """(field, model) of an encoder."""
    for field in encoder.models:
        model = getattr(encoder, field, None)
        if model is not None:
            yield field, model


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


def absolute_encoder(encoder: EncoderConfig) -> EncoderConfig:
    """The encoder with folders of models by their absolute paths."""
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
        digest = fingerprint.get(encoder.models[field])
        if not isinstance(digest, str):
            continue
        if digest_of(model, revision=revision_of(field, encoder)) == digest:
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


def revision_of(field: str, encoder: EncoderConfig) -> str | None:
    return getattr(encoder, "revision", None) if field == "model" else None
