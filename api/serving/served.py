"""One collection as the server holds it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ...core import EncoderMismatchError
from ...index import LEGS, CollectionConfig, LegConfig
from ...index.store.database.database import FILE_NAME
from ...index.store.jobs import JobStore
from ...search import Collection
from .problems import Problem

Status = Literal["loading", "ready", "building", "damaged", "unreadable", "unavailable"]
"""building: an offline build is unfinished; damaged: its files are; unreadable: its folder is;
unavailable: its models are."""


def folder_name(path: Path) -> str:
    """The folder's name as text; bytes that are not UTF-8 are replaced."""
    return os.fsencode(path.name).decode(errors="replace")


def unreadable(path: Path) -> str | None:
    """Why a look into a folder fails; None when it can be read, or is none."""
    try:
        os.stat(f"{path}/{FILE_NAME}")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return f"its folder cannot be read: {error.strerror}"
    return None


def identity(path: Path) -> tuple[int, int] | None:
    """Which file the database of a collection is now; None when there is none."""
    try:
        status = os.stat(f"{path}/{FILE_NAME}")
    except OSError:
        return None
    return status.st_dev, status.st_ino


@dataclass(slots=True)
class Served:
    """One collection and how it stands.

    collection, jobs: there once it is ready.
    identity:     of the database that was opened; None until then.
    deleted:      it is served no more.
    encoders:     leg -> name of the model or language that answers.
    busy_keys:    idempotency keys of requests under way.
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

    def ready(self) -> tuple[Collection, JobStore]:
        """The collection and the jobs, or Problem 503."""
        if self.collection is None or self.jobs is None:
            if self.status == "loading":
                raise Problem(
                    503, f"collection {self.name!r} is loading", headers={"Retry-After": "1"}
                )
            if self.mismatch is not None:
                raise self.mismatch.with_traceback(None)
            raise Problem(
                503, self.problem or self.status, code=self.status, headers={"Retry-After": "60"}
            )
        return self.collection, self.jobs

    def replaced(self) -> bool:
        """Whether another process deleted what was opened, or put another in its place."""
        return self.identity is not None and self.identity != identity(self.path)

    def close(self) -> None:
        if self.collection is not None:
            self.collection.close()
        if self.jobs is not None:
            self.jobs.close()


def encoder_names(config: CollectionConfig) -> dict[str, str]:
    """Leg -> what answers for it (see `EncoderConfig.label`), with the kind of encoder before it
    where that is not the usual one of the leg."""
    return {name: _label(leg) for name, leg in config.legs.items()}


def _label(leg: LegConfig) -> str:
    encoder = leg.encoder
    usual = LEGS.parse({"kind": leg.kind}).encoder.kind
    return encoder.label if encoder.kind == usual else f"{encoder.kind}:{encoder.label}"
