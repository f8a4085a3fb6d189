"""The state of one collection on a server."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ...core import EncoderMismatchError, NotFoundError, StorageError
from ...index import LEGS, CollectionConfig, LegConfig
from ...index.store.database.database import FILE_NAME
from ...index.store.jobs import JobStore
from ...search import Collection
from .problems import Problem

logger = logging.getLogger(__name__)

Status = Literal["loading", "ready", "building", "damaged", "unreadable", "unavailable"]
"""State of a collection. building: its offline build is unfinished. damaged: its files are damaged.
unreadable: its folder cannot be read. unavailable: a model is missing or does not match."""


def folder_name(path: Path) -> str:
    """Return the name of a folder as text. Bytes that are not UTF-8 are replaced."""
    return os.fsencode(path.name).decode(errors="replace")


def unreadable(path: Path) -> str | None:
    """Return why a folder cannot be read; None for a readable or missing folder."""
    try:
        os.stat(f"{path}/{FILE_NAME}")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return f"its folder cannot be read: {error.strerror}"
    return None


def identity(path: Path) -> tuple[int, int] | None:
    """Return (device, inode) of the database file of the collection at `path`; None if missing."""
    try:
        status = os.stat(f"{path}/{FILE_NAME}")
    except OSError:
        return None
    return status.st_dev, status.st_ino


@dataclass(slots=True)
class Served:
    """A collection of the server and its state.

    problem:      why the collection is not ready; None if it is ready.
    mismatch:     error if a model differs from the model that encoded the collection; else None.
    collection, jobs: the open collection and its jobs; None until it is ready.
    identity:     device and inode of the open database file; None until it is opened.
    deleted:      True once the server no longer serves the collection.
    encoders:     leg -> name of its model or language.
    busy_keys:    values of the header `Idempotency-Key` of running requests.
    whole:        the whole collection, if `collection` is a part of it; else None.
    """

    name: str
    path: Path
    status: Status = "loading"
    problem: str | None = None
    mismatch: EncoderMismatchError | None = None
    collection: Collection | None = None
    jobs: JobStore | None = None
    identity: tuple[int, int] | None = None
    deleted: bool = False
    encoders: dict[str, str] = field(default_factory=dict)
    busy_keys: set[str] = field(default_factory=set)
    whole: Served | None = None

    def ready(self) -> tuple[Collection, JobStore]:
        """Return the open collection and its jobs.

        Raises Problem 503 if the collection is not ready, and EncoderMismatchError if a model
        differs from the model that encoded the collection.
        """
        if self.collection is None or self.jobs is None:
            if self.status == "loading":
                raise Problem(
                    503,
                    f"collection {self.name!r} is loading; try again",
                    headers={"Retry-After": "1"},
                )
            if self.mismatch is not None:
                raise self.mismatch.with_traceback(None)
            raise Problem(
                503, self.problem or self.status, code=self.status, headers={"Retry-After": "60"}
            )
        return self.collection, self.jobs

    def job_store(self) -> JobStore:
        """Return the jobs. Raises the errors of `ready`, unless they belong to no collection."""
        return self.jobs if not self.name and self.jobs is not None else self.ready()[1]

    def replaced(self) -> bool:
        """Return True if another process deleted or replaced the open database file."""
        return self.identity is not None and self.identity != identity(self.path)

    def close(self) -> None:
        if self.collection is not None:
            self.collection.close()
        if self.jobs is not None:
            self.jobs.close()


def summary(served: Served) -> dict[str, Any]:
    """Return the name, status, number of documents and problem of a collection."""
    documents, problem = None, served.problem
    if served.collection is not None:
        try:
            documents = served.collection.count()
        except StorageError as error:  # Other collections are still listed.
            problem = str(error).replace(f"{served.path.parent}/", "")
    return {
        "name": served.name,
        "status": served.status,
        "documents": documents,
        "problem": problem,
    }


@contextmanager
def readable(served: Served) -> Iterator[None]:
    """Return a context manager for a block that reads `served`.

    If `served` cannot be read, logs a warning and skips the rest of the block.
    """
    try:
        yield
    except (StorageError, NotFoundError) as error:
        logger.warning("collection %s is skipped: %s", served.name, error)


def encoder_names(config: CollectionConfig) -> dict[str, str]:
    """Return leg -> short name of its encoder (`EncoderConfig.label`).

    If the encoder's kind is not the default of the leg's kind, the name has the form KIND:LABEL.
    """
    return {name: _label(leg) for name, leg in config.legs.items()}


def _label(leg: LegConfig) -> str:
    encoder = leg.encoder
    usual = LEGS.parse({"kind": leg.kind}).encoder.kind
    return encoder.label if encoder.kind == usual else f"{encoder.kind}:{encoder.label}"
