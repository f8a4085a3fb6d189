"""Weights that have moved, found again by their digest."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..core import ConfigError, ModelError
from .digest import weights_digest
from .safety import check_weights
from .weights import WHEELS, find_named, listed_models, local_path

logger = logging.getLogger(__name__)


def find_by_digest(digest: str, models: Iterable[str] = ()) -> Path | None:
    """A folder (for GGUF: a file) of weights with this digest, which are safe to load; None where
    there is none.

    Looks at `models` (names and folders), those that the operator lists (TWINDEX_MODELS), installed
    packages of weights and the cache of the Hugging Face hub, in this order. Never asks a network.
    """
    for place in _places(models):
        try:
            if weights_digest(place) == digest:
                check_weights(place.name, place)
                return place
        except ModelError as error:
            logger.info("not looked at: %s", error)
    return None


def digest_of(name: str, *, revision: str | None = None) -> str | None:
    """The digest of the weights of that name or path; None where they cannot be read."""
    try:
        place = local_path(name) or find_named(name, revision=revision)
        return None if place is None else weights_digest(place)
    except ModelError:
        return None


def _places(models: Iterable[str]) -> Iterator[Path]:
    for name in dict.fromkeys([*models, *listed_models()]):
        try:
            place = local_path(name) or find_named(name)
        except (ModelError, ConfigError):
            continue
        if place is not None:
            yield place
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
