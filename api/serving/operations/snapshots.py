"""Snapshots of the collections of a server, in the target that the operator configured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ....core import ConflictError, NotFoundError, Progress
from ....core.errors import shown
from ....index import SnapshotInfo, list_snapshots, open_target
from ....index.store.jobs import Job
from ....search import Collection
from ..served import Served
from ..settings import Settings
from .names import NAME


class ServedSnapshots:
    """Where and how a server stores snapshots: below the setting `snapshots`, by collection."""

    def __init__(self, settings: Settings) -> None:
        self._base = settings.snapshots
        self._keep = settings.snapshots_keep or None
        self._rate = settings.snapshot_rate or None

    def target(self, collection: str) -> str:
        """Return the address of the snapshots of a collection.

        Raises ConflictError if the operator has configured none, and NotFoundError for an invalid
        name.
        """
        if not NAME.fullmatch(collection):
            raise NotFoundError(f"no collection {shown(collection)}")
        if self._base is None:
            raise ConflictError(
                "this server has no place for snapshots; the operator can set `snapshots`"
            )
        return f"{self._base.rstrip('/')}/{collection}"

    def list(self, collection: str) -> list[SnapshotInfo]:
        """Return the snapshots of a collection, oldest first."""
        return list_snapshots(open_target(self.target(collection)))

    def find(self, collection: str, name: str | None) -> SnapshotInfo:
        """Return a snapshot by its name, or the newest if it is None. Raises NotFoundError."""
        found = self.list(collection)
        chosen = [one for one in found if name in (None, one.name)]
        if not chosen:
            what = "no snapshots" if name is None else f"no snapshot {name!r}"
            raise NotFoundError(f"collection {collection!r} has {what}")
        return chosen[-1]

    def delete(self, collection: str, name: str) -> None:
        """Delete a snapshot. Raises NotFoundError for an unknown name."""
        found = self.find(collection, name)
        open_target(self.target(collection)).remove(found.name)

    def take(self, served: Served, job: Job, progress: Progress) -> dict[str, Any]:
        """Run a job that takes a snapshot."""
        collection, _ = served.ready()
        made = collection.snapshot(
            self.target(served.name), keep=self._keep, rate=self._rate, progress=progress
        )
        return {**job.result, **made.summary()}

    def restore(self, job: Job, path: Path, progress: Progress) -> None:
        """Run a job that restores a snapshot. path: folder of the new collection."""
        Collection.restore(
            self.target(job.result["origin"]),
            path,
            snapshot=job.result["snapshot"],
            rate=self._rate,
            progress=progress,
        )
