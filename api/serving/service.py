"""The service behind all routes: the open collections of a server, its models and threads."""

from __future__ import annotations

import gc
import logging
import os
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, TypeVar

from ...core import (
    ConflictError,
    NotFoundError,
    Progress,
    StorageError,
)
from ...index import CollectionConfig, restored_from
from ...index.arrays.files import remove_tree, sync_directory
from ...index.arrays.temporary import remove_abandoned
from ...index.store.database.database import FILE_NAME
from ...index.store.jobs import Job
from ...search import replaced_folder
from ...search.encoding.batches import BATCHING
from ...search.encoding.courtesy import COURTESY
from ...search.encoding.lending import KeptLock
from ...search.writing.reembed import REMOVED
from .allowed import AllowedModels
from .job_list import JobList
from .limits.pool import Pool
from .loading import Loader
from .operations.lanes import JobLanes
from .operations.names import NAME, RULE, Names
from .operations.probe import Writable, WriteProbe
from .operations.reembedding import Reembedding
from .operations.reloading import Reloading, ServedParts
from .operations.root_jobs import RootJobs
from .operations.searching import SearchingWorkers
from .operations.snapshots import ServedSnapshots
from .operations.workers import Place
from .served import Served, folder_name, identity, unreadable
from .settings import Settings

logger = logging.getLogger(__name__)

WRITERS = 4
WATCHERS = 8
"""Maximum number of requests for metrics that wait for the thread for metrics."""
_TRASH = ".deleted-"
_REPEATS = 5
"""Maximum number of times that a collection is opened that is replaced again and again."""
_RETRIED = ("building", "unreadable")
"""States in which the next request for a collection tries to open the collection again."""

T = TypeVar("T")


class Service:
    """Serves the collections in the subfolders of `root`, or `root` itself if it is a collection.

    place: place of this process among several workers. Only the first worker writes, and the others
           follow. None: this process is alone.

    Raises NotFoundError if `root` is not a folder, StorageError if it cannot be read, and
    ConfigError if `root` is a collection and its name is invalid.
    """

    def __init__(self, root: Path, settings: Settings, place: Place | None = None) -> None:
        self.root = root.resolve()
        self.place = place
        self.writes = place is None or place.writes
        try:
            if not self.root.is_dir():
                raise NotFoundError(f"{root} is not a folder; create it first")
            os.listdir(self.root)
            self.single = (self.root / FILE_NAME).is_file()
        except OSError as error:
            raise StorageError(f"{root} cannot be read: {error.strerror}") from None
        self.names = Names(self.root, single=self.single)
        searches = settings.search_threads
        self.readers = Pool("search", searches, settings.queue, settings.queue_seconds)
        # A reranker or a rewriter may take seconds. Searches without them never wait for it.
        self.reranking = Pool("rerank", settings.rerank_threads, settings.rerank_queue)
        self.answering = Pool("answer", settings.answer_threads, settings.answer_queue)
        self.embedding = Pool("embed", settings.embed_threads, settings.embed_queue)
        self.writers = Pool("write", WRITERS, settings.queue, settings.queue_seconds)
        self.watchers = Pool("watch", 1, WATCHERS)
        BATCHING.most = settings.query_batch
        self._pools = [self.readers, self.reranking, self.answering, self.embedding]
        self._pools += [self.writers, self.watchers]
        COURTESY.share = settings.bulk_share
        COURTESY.peers = None if place is None else SearchingWorkers(place)
        # `_opening` is locked while a collection is opened, created or deleted; `_lock` protects
        # the dictionary.
        self._opening = KeptLock()
        self.snapshots = ServedSnapshots(settings)
        self.root_jobs = RootJobs(self.root)
        self.runner = JobLanes(
            {
                "snapshot": self.snapshots.take,
                "restore": self._restore,
                "reembed": lambda *job: self.reembedding.run(*job),
            },
            runs=self.writes,
        )
        self.jobs = JobList(
            lambda: [*self.known(), *self.root_jobs.found()],
            lambda: [*self.collections(), *self.root_jobs.found()],
            self.runner,
            self._opening,
        )
        self.preloaded = ServedParts.of(settings)
        done = place.board.reload if place is not None and place.writes else lambda: None
        self.reloading = Reloading(self.preloaded, settings, lambda: self.loading, done)
        self.models = AllowedModels(settings.models, self._configured)
        self.started = int(time.time()) if place is None else place.started
        self._loader = Loader(
            self.root,
            self.runner,
            settings.device,
            self.preloaded.by_setting,
            settings.models,
            writes=self.writes,
        )
        self.reembedding = Reembedding(self._reopen, self._loader.encoder)
        self._probe = WriteProbe()
        self._loading: Thread | None = None
        self._stopping = Event()
        self._lock = Lock()
        self._served: dict[str, Served] = {}

    # -- start and stop --------------------------------------------------------------------

    def start(self) -> None:
        """Complete interrupted deletions. Then load collections and models in a thread."""
        if self.writes:
            for path in sorted(self.root.glob(f".*{_TRASH}*")):
                logger.info("removing %s, whose deletion was interrupted", folder_name(path))
                remove_tree(path)
            remove_abandoned(self.root, REMOVED)
        for path in self.names.folders():
            name = folder_name(path)
            self._served[name] = Served(name, path)
        for holder in self.root_jobs.found() if self.writes else ():
            for job in holder.job_store().unfinished():
                self.runner.submit(holder, job.id)
        self._loading = Thread(target=self._load_all, name="twindex-load", daemon=True)
        self._loading.start()

    def close(self) -> None:
        """Wait until running requests and job steps end, then close every collection."""
        self._stopping.set()
        if self._loading is not None:
            self._loading.join()
        self.runner.close()
        for pool in self._pools:
            pool.close()
        for served in self._served.values():
            served.close()
        self.root_jobs.close()
        gc.unfreeze()

    def _load_all(self) -> None:
        for served in self.known():
            if self._stopping.is_set():
                return
            with self._opening:
                if served.status == "loading" and not served.deleted:
                    self._open(served)
        self.preloaded.load(self._stopping.is_set)
        # Models and libraries live as long as the process. Full garbage collections stop every
        # thread and can skip their objects (0.3 s with torch and transformers).
        gc.freeze()

    def _open(self, served: Served) -> None:
        """Open a collection, or drop it if its folder is empty. The caller holds `_opening`."""
        served.identity = identity(served.path)
        if not NAME.fullmatch(served.name):
            served.status, served.problem = "damaged", f"rename its folder: {RULE}"
            logger.error("collection %s is not served: %s", served.name, served.problem)
        elif (problem := unreadable(served.path)) is not None:
            if served.problem != problem:  # Checked often, logged once.
                logger.error("collection %s is not served: %s", served.name, problem)
            served.status, served.problem = "unreadable", problem
        elif not self._loader.open(served):
            self._drop(served)
        elif served.deleted:  # It was deleted meanwhile.
            served.close()

    @property
    def loading(self) -> bool:
        """True until `start` has loaded all collections, rerankers, generators and rewriters."""
        return self._loading is None or self._loading.is_alive()

    def writable(self) -> Writable:
        """Return whether writes to the collections work. The result may be PROBE_SECONDS old."""
        ready = [served.path for served in self.known() if served.status == "ready"]
        return self._probe.check(ready or [self.root])

    # -- collections -----------------------------------------------------------------------

    def known(self) -> list[Served]:
        """Return the collections found so far, even damaged ones, by name. Reads no files."""
        with self._lock:
            return sorted(self._served.values(), key=lambda served: served.name)

    def collections(self) -> list[Served]:
        """Return all collections, sorted by name.

        First looks for collections that other processes created, replaced or deleted.
        """
        if not self.loading:
            for served in self.known():
                if served.replaced():
                    self._drop(served)
            try:
                paths = list(self.names.folders())
            except OSError as error:
                logger.error("%s cannot be read: %s", self.root, error.strerror)
                paths = []
            # A folder that is readable again may contain no collection.
            paths += [served.path for served in self.known() if served.status == "unreadable"]
            for path in dict.fromkeys(paths):
                present = self._served.get(folder_name(path))
                if present is None or present.status in _RETRIED:
                    for _ in range(_REPEATS):
                        # Its folder may be exchanged with another one while it is opened.
                        with suppress(NotFoundError):
                            self._open_on_demand(folder_name(path), path)
                            break
                        if identity(path) is None:
                            break  # Its creation was interrupted, or it was deleted.
        return self.known()

    async def served(self, name: str) -> Served:
        """Return a collection by its name or an alias. Raises NotFoundError if there is none.

        First opens a collection that another process created, replaced or finished building.
        """
        name = self.names.aliases.resolve(name)
        served = self._served.get(name)
        if served is not None and served.replaced():
            await self.writers.run(self._drop, served)
            served = None
        # A collection that is being created is "loading" too. Wait for its creation.
        waits = served is not None and served.status == "loading" and not self.loading
        if served is None or served.status in _RETRIED or waits:
            served = await self.writers.run(self._open_on_demand, name, self.names.path(name))
        return served

    def _open_on_demand(self, name: str, path: Path) -> Served:
        with self._opening:
            with self._lock:
                served = self._served.get(name)
                if served is None and (identity(path) or unreadable(path)):
                    served = self._served[name] = Served(name, path)
            if served is not None and served.status in ("loading", *_RETRIED):
                self._open(served)
            if served is None or served.deleted:
                raise self.names.absent(name)
            return served

    def _changed(self) -> None:
        """Let other workers look for collections that were created, deleted or replaced."""
        if self.place is not None and self.writes:
            self.place.board.change()

    def _reopen(self, served: Served) -> None:
        """Close a collection, and open the one that has replaced it in its folder."""
        with self._opening:
            # A request may have noticed the exchange, and opened the new one.
            present = self._served.get(served.name)
            if present is None or present is served:
                fresh = Served(served.name, served.path)
                self._open(fresh)
                with self._lock:
                    self._served[served.name] = fresh
        self._drop(served)
        self._changed()

    def _drop(self, served: Served) -> None:
        """Close a collection that no longer exists, and stop serving it.

        Requests that still use the collection then fail.
        """
        with self._lock:
            if served.deleted:
                return
            served.deleted = True
            if self._served.get(served.name) is served:
                del self._served[served.name]
        served.close()

    async def run(self, pool: Pool, name: str, work: Callable[[Served], T]) -> T:
        """Run `work` on the collection `name`, in a thread of `pool`, and return its result."""
        served = await self.served(name)
        try:
            return await pool.run(work, served)
        except StorageError:
            if not served.deleted and not served.replaced():
                raise
        # The collection was deleted meanwhile, possibly by another process. Try a new one.
        await self.writers.run(self._drop, served)
        return await pool.run(work, await self.served(name))

    def create(self, name: str, config: CollectionConfig) -> tuple[Served, bool]:
        """Create a collection. Return it, and False if it existed already with this configuration.

        If a model cannot be loaded, nothing is created.

        Raises ConfigError for a model that requests may not use, and ConflictError if a collection
        of this name exists with another configuration.
        """
        self.names.check_new(name, exists=True)
        path = self.names.path(name)
        wanted = self.models.resolved(config)
        present = self._served.get(name)
        if present is not None and present.replaced():
            self._drop(present)
        try:
            served = self._open_on_demand(name, path)
        except NotFoundError:
            pass
        else:
            if served.collection is not None and served.collection.config in (config, wanted):
                return served, False
            raise ConflictError(
                f"another collection {name!r} exists, with status {served.status}; delete it or "
                "choose another name"
            )
        self.models.check(wanted)
        if not os.access(path.parent, os.W_OK):
            message = f"cannot create {name!r}: the folder of the server is read-only"
            raise ConflictError(f"{message}; make it writable")
        with self._opening:
            with self._lock:
                if name in self._served:
                    raise ConflictError(f"collection {name!r} is being created; try again")
                served = self._served[name] = Served(name, path)
            try:
                self._loader.create(served, wanted)
            except BaseException:
                self._drop(served)
                raise
        self._changed()
        return served, True

    def _restore(self, _: Served, job: Job, progress: Progress) -> dict[str, Any]:
        """Run a job that restores a snapshot as a new collection, and open the collection."""
        name = job.result["collection"]
        path = self.names.path(name)
        # A server that was killed may have completed the folder, but not the job.
        if restored_from(path) != job.result["snapshot"]:
            self.snapshots.restore(job, path, progress)
        self._open_on_demand(name, path)
        self._changed()
        return dict(job.result)

    def _configured(self) -> list[dict[str, Any]]:
        """Return the configurations of open collections, rerankers, generators, ..., as dicts."""
        opened = [served.collection for served in self.known() if served.collection is not None]
        return [one.model_dump() for one in (*(e.config for e in opened), *self.preloaded.configs)]

    def delete(self, name: str) -> None:
        """Delete a collection, even a damaged one.

        If the deletion is interrupted, the next start of the server completes it.
        """
        self.names.check_deletable(name)
        trash = [self.root / f".{name}{_TRASH}{secrets.token_hex(4)}" for _ in range(2)]
        with self._opening:
            served = self._served.get(name)
            path = self.names.path(name) if served is None else served.path
            there = identity(path) is not None
            if (problem := unreadable(path)) is not None:
                raise StorageError(f"collection {name!r} cannot be deleted: {problem}")
            if there:
                # The collection last: without it, nothing would name the rest.
                with suppress(FileNotFoundError):
                    replaced_folder(path).rename(trash[0])
                path.rename(trash[1])
                self._changed()
        if served is not None:
            self._drop(served)
        if not there:
            raise self.names.absent(name)
        sync_directory(self.root)
        for folder in trash:
            remove_tree(folder)
