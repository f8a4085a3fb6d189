"""Re-embedding of the collections of a server: a job, its confirmation and its roll-back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....core import Progress
from ....encoders import EncoderLoader
from ....index import CollectionConfig
from ....index.store.jobs import Job
from ....search import confirm_reembedding, reembed, roll_back_reembedding
from ..jobs import Interruption
from ..served import Served
from .requests import ReembedRequest


def wanted(config: CollectionConfig, legs: Any) -> CollectionConfig:
    """Return a configuration with other legs. legs: the field `legs` of a ReembedRequest."""
    return ReembedRequest.parse({"legs": legs}).applied(config)


class Reembedding:
    """Runs re-embeddings.

    reopen:   closes a collection and opens the one that has replaced it.
    encoders: loads encoders.
    """

    def __init__(self, reopen: Callable[[Served], None], encoders: EncoderLoader) -> None:
        self._reopen = reopen
        self._encoders = encoders

    def run(self, served: Served, job: Job, progress: Progress) -> dict[str, Any]:
        """Run the job. It runs again in the new collection, finds nothing to do, and is done."""
        collection, _ = served.ready()
        config = wanted(collection.config, job.result["legs"])
        made = reembed(served.path, config, progress=progress, encoders=self._encoders)
        if made.changed:
            self._reopen(served)
            raise Interruption
        return {**job.result, "documents": made.documents}

    def confirm(self, served: Served) -> bool:
        """Remove the collection that was replaced. False: there is none."""
        served.ready()
        return confirm_reembedding(served.path)

    def roll_back(self, served: Served) -> bool:
        """Bring back the collection that was replaced. False: there is none."""
        served.ready()
        done = roll_back_reembedding(served.path)
        if done:
            self._reopen(served)
        return done
