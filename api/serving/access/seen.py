"""The part of a service that one request sees. Routes reach collections only through it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from ....core import ConflictError, NotFoundError
from ....core.errors import shown
from ....core.filters import show_filter
from ....core.near import did_you_mean
from ....index import CollectionConfig, writing_as
from ....index.store.jobs import Job
from ..generators import ServedGenerators
from ..limits.pool import Pool
from ..operations.names import NoCollectionError
from ..operations.probe import Writable
from ..operations.reembedding import Reembedding
from ..operations.reloading import Reloading
from ..operations.snapshots import ServedSnapshots
from ..operations.workers import Place
from ..problems import Problem
from ..rerankers import ServedRerankers
from ..rewriters import ServedRewriters
from ..served import Served
from ..service import Service
from .access import EVERYONE, Access

T = TypeVar("T")


class Seen:
    """A service as one request sees it. The methods are those of `Service`.

    Collections that the access does not see do not exist. Each collection is its part within the
    filter of the access.
    """

    def __init__(self, service: Service, access: Access = EVERYONE, request_id: str = "") -> None:
        self._service = service
        self.access = access
        self.request_id = request_id

    # -- parts of the server that hold no documents ------------------------------------------

    @property
    def root(self) -> Path:
        return self._service.root

    @property
    def readers(self) -> Pool:
        return self._service.readers

    @property
    def reranking(self) -> Pool:
        return self._service.reranking

    @property
    def answering(self) -> Pool:
        return self._service.answering

    @property
    def embedding(self) -> Pool:
        return self._service.embedding

    @property
    def writers(self) -> Pool:
        return self._service.writers

    @property
    def watchers(self) -> Pool:
        return self._service.watchers

    @property
    def rerankers(self) -> ServedRerankers:
        return self._service.preloaded.rerankers

    @property
    def generators(self) -> ServedGenerators:
        return self._service.preloaded.generators

    @property
    def rewriters(self) -> ServedRewriters:
        return self._service.preloaded.rewriters

    @property
    def place(self) -> Place | None:
        return self._service.place

    @property
    def started(self) -> int:
        return self._service.started

    @property
    def loading(self) -> bool:
        return self._service.loading

    def writable(self) -> Writable:
        return self._service.writable()

    @property
    def healthy(self) -> bool:
        """True if every collection of the server is ready, also those that are not seen."""
        return all(served.status == "ready" for served in self._service.known())

    # -- collections -----------------------------------------------------------------------

    def known(self) -> list[Served]:
        """Return the collections found so far, even damaged ones, by name. Reads no files."""
        return self._parts(self._service.known())

    def collections(self) -> list[Served]:
        """Return all collections, sorted by name; see `Service.collections`."""
        return self._parts(self._service.collections())

    async def served(self, name: str) -> Served:
        """Return a collection by name. Raises NotFoundError if there is none."""
        self.resolve(name)
        try:
            return self._part(await self._service.served(name))
        except NoCollectionError:
            raise self._absent(name) from None

    async def read(self, name: str, work: Callable[[Served], T]) -> T:
        """Run `work` on the collection `name`, in a thread for searches, and return its result."""
        return await self._run(self._service.readers, name, work)

    async def rerank(self, name: str, work: Callable[[Served], T]) -> T:
        """Run `work` on the collection `name`, in a thread for reranking, and return its result."""
        return await self._run(self._service.reranking, name, work)

    async def answer(self, name: str, work: Callable[[Served], T]) -> T:
        """Run `work` on the collection `name`, in a thread for answers, and return its result."""
        return await self._run(self._service.answering, name, work)

    async def write(self, name: str, work: Callable[[Served], T]) -> T:
        """Run `work` on the collection `name`, in a thread for writes, and return its result."""

        def recorded(served: Served) -> T:
            with writing_as(self.access.key, self.request_id):
                return work(served)

        return await self._run(self._service.writers, name, recorded)

    async def _run(self, pool: Pool, name: str, work: Callable[[Served], T]) -> T:
        self.resolve(name)
        try:
            return await self._service.run(pool, name, lambda served: work(self._part(served)))
        except NoCollectionError:
            raise self._absent(name) from None

    def resolve(self, name: str) -> str:
        """Return the collection of an alias, or the name itself if it is not an alias.

        Raises NotFoundError if the access does not see the collection. Patterns are compared with
        names of collections, not with aliases.
        """
        found = self._service.names.aliases.resolve(name)
        if not self.access.sees(found):
            raise self._absent(name)
        return found

    def create(self, name: str, config: CollectionConfig) -> tuple[Served, bool]:
        """Create a collection; see `Service.create`. Raises Problem 403 for a name not seen."""
        self.check_new(name)
        return self._service.create(name, config)

    def check_new(self, name: str) -> None:
        """Raise Problem 403 if the access may not create a collection or an alias of this name."""
        self._administer()
        if not self.access.sees(name):
            patterns = ", ".join(self.access.collections)
            raise Problem(403, f"this key may only use collections named {patterns}")
        target = self._service.names.aliases.all().get(name)
        if target is not None and not self.access.sees(target):
            raise ConflictError(f"{name!r} is in use; choose another name")

    def delete(self, name: str) -> None:
        """Delete a collection, even a damaged one; see `Service.delete`."""
        self._administer()
        self.resolve(name)
        try:
            self._service.delete(name)
        except NoCollectionError:
            raise self._absent(name) from None

    def _administer(self) -> None:
        if not self.access.administers:
            raise Problem(403, "this key may not create or delete collections")

    def _absent(self, name: str) -> NotFoundError:
        """Return the error for a name without a collection. It suggests a similar name it sees."""
        names = [*(served.name for served in self.known()), *self.aliases()]
        hint = did_you_mean(name, names)
        return NotFoundError(f"no collection {shown(name)}{hint}")

    def _parts(self, found: list[Served]) -> list[Served]:
        return [self._part(served) for served in found if self.access.sees(served.name)]

    def _part(self, served: Served) -> Served:
        """Return the collection within the filter of the access."""
        condition = self.access.filter
        if condition is None:
            return served
        whole = served.collection
        part = None if whole is None else whole.within(condition)
        return replace(served, collection=part, whole=served)

    # -- aliases and snapshots -------------------------------------------------------------

    def aliases(self) -> dict[str, str]:
        """Return alias -> collection, sorted, for the collections that the access sees."""
        found = self._service.names.aliases.all()
        return {alias: name for alias, name in found.items() if self.access.sees(name)}

    def change_aliases(self, actions: Sequence[tuple[str, str | None]]) -> dict[str, str]:
        """Set and delete aliases, all or none; see `Names.change_aliases`.

        Raises Problem 403 for an alias whose name the access may not use.
        """
        own = self.aliases()
        for alias, collection in actions:
            if collection is not None:
                self.check_new(alias)
                if not self.access.sees(collection):
                    raise self._absent(collection)
            elif alias not in own:
                raise NotFoundError(f"no alias {alias!r}{did_you_mean(alias, own)}")
        self._administer()
        try:
            self._service.names.change_aliases(actions)
        except NoCollectionError:
            missing = [name for _, name in actions if name is not None]
            names = {served.name for served in self.known()}
            raise self._absent(next(n for n in missing if n not in names)) from None
        return self.aliases()

    @property
    def snapshots(self) -> ServedSnapshots:
        """The snapshots. Their methods expect names that `resolve` or `check_new` accepted."""
        return self._service.snapshots

    def check_restoration(self, name: str) -> None:
        """Raise an error if no snapshot may be restored as the collection `name`."""
        self.check_new(name)
        self._service.names.check_new(name)

    def restorations(self) -> Served:
        """Return the holder of the jobs that restore snapshots."""
        return self._service.root_jobs.holder()

    @property
    def reembedding(self) -> Reembedding:
        """Re-embedding of whole collections. Raises Problem 403 for a key that may not do it."""
        self._administer()
        return self._service.reembedding

    @property
    def reloading(self) -> Reloading:
        """Reloading of parts. Raises Problem 403 for a key that does not see all collections."""
        self._administer()
        if not self.access.sees_all:
            raise Problem(403, "a reload needs a key that sees all collections")
        return self._service.reloading

    def check_models(self, config: CollectionConfig) -> None:
        """Raise ConfigError for a model that requests may not use."""
        self._service.models.check(config)

    # -- jobs ------------------------------------------------------------------------------

    def submit(self, served: Served, job_id: str) -> None:
        """Queue the job `job_id`, which is already stored in the collection."""
        self._service.runner.submit(served.whole or served, job_id)

    def jobs(self) -> list[tuple[str, Job]]:
        """Return (collection name, job) for the latest jobs, newest first.

        Without the scope "admin", these are only the jobs of the same key.
        """
        owner = None if self.access.administers else self.access.owner
        return [pair for pair in self._service.jobs.latest(owner) if self._sees_job(*pair)]

    def job(self, job_id: str) -> tuple[str, Job]:
        """Return (collection name, job) for the id of a job. Raises NotFoundError; see `jobs`."""
        name, job = self._service.jobs.get(job_id)
        own = self.access.administers or job.owner == self.access.owner
        if not (own and self._sees_job(name, job)):
            raise self._service.jobs.absent(job_id)
        return name, job

    def _sees_job(self, name: str, job: Job) -> bool:
        """Return True if the access sees the collection of a job, or the one that it restores.

        With a filter, the job must have the same filter: other users of the key have others.
        """
        within = self.access.filter
        if within is not None and job.filter != show_filter(within):
            return False
        return self.access.sees(name or str(job.result.get("collection", "")))
