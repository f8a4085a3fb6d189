"""One collection as the server holds it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..core import EncoderMismatchError
from ..index.jobs import JobStore
from ..search import Engine
from .problems import Problem

Status = Literal["loading", "ready", "building", "damaged", "unavailable"]
"""building: an offline build is unfinished; damaged: its files are; unavailable: its models are."""


@dataclass(slots=True)
class Served:
    """One collection and how it stands.

    engine, jobs: there once it is ready.
    encoders:     leg -> name of the model or language that answers.
    busy_keys:    idempotency keys of requests under way.
    """

    name: str
    path: Path
    status: Status = "loading"
    problem: str | None = None
    mismatch: EncoderMismatchError | None = None
    engine: Engine | None = None
    jobs: JobStore | None = None
    deleted: bool = False
    encoders: dict[str, str] = field(default_factory=dict)
    busy_keys: set[str] = field(default_factory=set)

    def ready(self) -> tuple[Engine, JobStore]:
        """The engine and the jobs, or Problem 503."""
        if self.engine is None or self.jobs is None:
            if self.status == "loading":
                raise Problem(
                    503, f"collection {self.name!r} is loading", headers={"Retry-After": "1"}
                )
            if self.mismatch is not None:
                raise self.mismatch
            raise Problem(
                503, self.problem or self.status, code=self.status, headers={"Retry-After": "60"}
            )
        return self.engine, self.jobs

    def close(self) -> None:
        if self.engine is not None:
            self.engine.close()
        if self.jobs is not None:
            self.jobs.close()
