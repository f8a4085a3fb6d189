"""Open and create the collections of a service, with their models and jobs."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any
from weakref import WeakValueDictionary

from ...core import (
    ConfigError,
    ConflictError,
    EncoderMismatchError,
    MissingExtraError,
    ModelError,
    NotFoundError,
    TwindexError,
)
from ...core.config import Device
from ...encoders import Encoder, EncoderConfig, load_encoder
from ...encoders.model_paths import named
from ...index import CollectionConfig
from ...index.models import model_names
from ...index.store.jobs import JobStore
from ...llm.weights.places import find_named
from ...search import Collection
from .operations.lanes import JobLanes
from .served import Served, encoder_names, identity

logger = logging.getLogger(__name__)


class Loader:
    """Loads collections, their models and jobs. Legs with equal EncoderConfigs share an encoder."""

    def __init__(
        self,
        root: Path,
        runner: JobLanes,
        device: Device | None,
        parts: Mapping[str, Any],
        models: Sequence[str],
        *,
        writes: bool = True,
    ) -> None:
        """Create a loader.

        parts: argument of `Collection.open` -> registry, such as `rerankers`.
        models: names and folders of models that the operator allows.
        writes: False: another process writes the collections, and this one only reads them.

        If the folder of a collection's model was moved, the loader looks for the same weights in
        these models.
        """
        self._writes = writes
        self._root = root
        self._parts = parts
        self._runner = runner
        self._device = device
        self._models = models
        # Models are large. Weak references free those that no collection uses.
        self._encoders: WeakValueDictionary[EncoderConfig, Encoder] = WeakValueDictionary()
        self._lock = Lock()

    def open(self, served: Served) -> bool:
        """Open a collection and load its models. Stores errors in `served` and does not raise them.

        Returns False if the folder contains no collection, because the creation of the collection
        was interrupted. The collection can then be created again.
        """
        collection = None
        try:
            collection = Collection.open(
                served.path,
                read_only=not (self._writes and os.access(served.path, os.W_OK)),
                encoders=self.encoder,
                models=self._models,
                **self._parts,
            )
            self._adopt(served, collection)
        except NotFoundError:
            return False
        except Exception as error:
            if not isinstance(error, TwindexError):
                served.problem = (
                    f"opening the collection failed with {type(error).__name__}; see the log"
                )
                logger.exception("collection %s is not served", served.name)
            elif served.problem != (problem := self._public_text(error, collection)):
                served.problem = problem  # An unfinished build is opened often, and logged once.
                logger.error("collection %s is not served: %s", served.name, error)
            if isinstance(error, EncoderMismatchError):
                served.status, served.mismatch = "unavailable", error
            elif isinstance(error, ModelError | MissingExtraError | ConfigError):
                served.status = "unavailable"
            else:
                served.status = "building" if isinstance(error, ConflictError) else "damaged"
        return True

    def create(self, served: Served, config: CollectionConfig) -> None:
        """Load the models of `config`, then create the collection.

        If a model cannot be loaded, creates nothing and raises ConfigError with the model's field.
        """
        loaded = []  # Keeps the encoders until the collection uses them.
        try:
            for leg, chosen in config.legs.items():
                where = f"legs.{leg}.encoder"
                loaded.append(self.encoder(chosen.encoder))
        except ConfigError as error:
            field = f"{where}.{error.field}" if error.field else where
            raise ConfigError(error.message, field=field) from None
        except ModelError as error:
            logger.error("%s: %s", where, error)
            names = [name for _, name in named(chosen.encoder)]
            raise ConfigError(_without_folders(str(error), names), field=where) from None
        collection = Collection.create(served.path, config, encoders=self.encoder, **self._parts)
        served.identity = identity(served.path)
        self._adopt(served, collection)

    def _adopt(self, served: Served, collection: Collection) -> None:
        """Load the models and jobs of an open collection, mark it ready and continue its jobs."""
        try:
            collection.load()
            jobs = JobStore(served.path, read_only=not os.access(served.path, os.W_OK))
            if self._writes:
                jobs.remove_stray_lines()
        except BaseException:
            collection.close()
            raise
        served.encoders = encoder_names(collection.config)
        served.collection, served.jobs = collection, jobs
        served.status, served.problem = "ready", None
        for job in jobs.unfinished():
            if self._writes:
                logger.info("continuing job %s of collection %s", job.id, served.name)
                self._runner.submit(served, job.id)

    def _public_text(self, error: TwindexError, collection: Collection | None) -> str:
        """Return the error's message without names of the server's folders, for clients."""
        names = [] if collection is None else model_names(collection.config)
        return _without_folders(str(error).replace(f"{self._root}/", ""), [*names, *self._models])

    def encoder(self, config: EncoderConfig) -> Encoder:
        with self._lock:
            key = config if self._device is None else config.on(self._device)
            encoder = self._encoders.get(key)
            if encoder is None:
                encoder = self._encoders[key] = load_encoder(key)
            return encoder


def _without_folders(message: str, names: Iterable[str]) -> str:
    """Return a message with the path of each model in `names` reduced to its last part."""
    for name in names:
        for path in (str(find_named(name) or ""), os.path.realpath(name), name):
            if Path(path).is_absolute():
                message = message.replace(path, Path(path).name)
    return message
