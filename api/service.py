"""The collections under one folder, opened once and served to every route."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock, Thread
from typing import TypeVar

from ..core import (
    AnalyzerConfig,
    CollectionConfig,
    ConfigError,
    ConflictError,
    EncoderMismatchError,
    InvalidInputError,
    MissingExtraError,
    ModelError,
    NotFoundError,
    StorageError,
    TwindexError,
)
from ..encoders import Encoder, EncoderConfig, load_encoder
from ..index.database import FILE_NAME
from ..index.files import remove_tree, sync_directory
from ..index.jobs import Job, JobStore
from ..search import Engine
from .jobs import JobRunner
from .pool import Pool
from .served import Served
from .settings import Settings

logger = logging.getLogger(__name__)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
WRITERS = 4
_TRASH = ".deleted-"

T = TypeVar("T")


class Service:
    """The collections in the subfolders of `root`, or `root` itself if it is a collection."""

    def __init__(self, root: Path, settings: Settings) -> None:
        self.root = root.resolve()
        if not self.root.is_dir():
            raise NotFoundError(f"{root} is not a folder; create it to serve from it")
        self.single = (self.root / FILE_NAME).is_file()
        if self.single and not NAME.fullmatch(self.root.name):
            raise ConfigError(f"{self.root.name!r} cannot be the name of a collection: {_RULE}")
        self.readers = Pool("search", settings.workers, settings.queue)
        self.writers = Pool("write", WRITERS, settings.queue)
        self.runner = JobRunner()
        self._encoders: dict[EncoderConfig, Encoder] = {}
        self._encoders_lock = Lock()
        self._opening = Lock()
        self._lock = Lock()
        self._served: dict[str, Served] = {}
        self._loader: Thread | None = None

    # -- life ------------------------------------------------------------------------------

    def start(self) -> None:
        """List the collections and begin to load them in the background."""
        for path in sorted(self.root.glob(f".*{_TRASH}*")):
            logger.info("removing %s, whose deletion was interrupted", path.name)
            remove_tree(path)
        for path in self._folders():
            served = Served(path.name, path)
            if not NAME.fullmatch(path.name):
                served.status, served.problem = "damaged", f"its folder must be renamed: {_RULE}"
                logger.error("%s is not served; %s", path, served.problem)
            self._served[path.name] = served
        self._loader = Thread(target=self._load_all, name="twindex-load", daemon=True)
        self._loader.start()

    def close(self) -> None:
        """Let work under way end, then close every collection."""
        if self._loader is not None:
            self._loader.join()
        self.runner.close()
        self.readers.close()
        self.writers.close()
        for served in self._served.values():
            served.close()

    def _folders(self) -> Iterator[Path]:
        if self.single:
            yield self.root
            return
        for path in sorted(self.root.iterdir()):
            if not path.name.startswith(".") and (path / FILE_NAME).is_file():
                yield path

    def _load_all(self) -> None:
        for served in self.collections():
            if served.status == "loading":
                self._open(served)

    def _open(self, served: Served) -> None:
        """Open and load one collection; what is wrong with it is kept, and harms no other."""
        try:
            engine = Engine.open(served.path, encoders=self._encoder)
            try:
                self._adopt(served, engine)
            except BaseException:
                engine.close()
                raise
        except NotFoundError:
            # Its creation was interrupted: it holds nothing and can be created again.
            with self._lock:
                self._served.pop(served.name, None)
        except Exception as error:
            if isinstance(error, TwindexError):
                message = str(error)
                logger.error("collection %s is not served: %s", served.name, message)
            else:
                message = f"{type(error).__name__} while opening it; the log has more"
                logger.exception("collection %s is not served", served.name)
            served.problem = message.replace(f"{self.root}/", "")
            if isinstance(error, EncoderMismatchError):
                served.status, served.mismatch = "unavailable", error
            elif isinstance(error, ModelError | MissingExtraError | ConfigError):
                served.status = "unavailable"
            else:
                served.status = "building" if isinstance(error, ConflictError) else "damaged"

    def _adopt(self, served: Served, engine: Engine) -> None:
        """Load models and jobs; from then on the collection answers."""
        engine.load()
        jobs = JobStore(served.path)
        jobs.remove_stray_lines()
        served.encoders = {
            name: leg.encoder.language
            if isinstance(leg.encoder, AnalyzerConfig)
            else leg.encoder.model
            for name, leg in engine.config.legs.items()
        }
        served.engine, served.jobs = engine, jobs
        served.status, served.problem = "ready", None
        for job in jobs.unfinished():
            logger.info("continuing job %s of collection %s", job.id, served.name)
            self.runner.submit(served, job.id)

    def _encoder(self, config: EncoderConfig) -> Encoder:
        """Collections with the same encoder share one."""
        with self._encoders_lock:
            if config not in self._encoders:
                self._encoders[config] = load_encoder(config)
            return self._encoders[config]

    @property
    def loading(self) -> bool:
        """Whether the collections that were there at the start are still being loaded."""
        return self._loader is None or self._loader.is_alive()

    # -- collections -----------------------------------------------------------------------

    def collections(self) -> list[Served]:
        """All collections by name, damaged ones too."""
        with self._lock:
            return sorted(self._served.values(), key=lambda served: served.name)

    async def served(self, name: str) -> Served:
        """A collection by name. Raises NotFoundError.

        One that another process finished building meanwhile is opened now.
        """
        served = self._served.get(name)
        if served is None or served.status == "building":
            path = self.root / name
            if self.single or not NAME.fullmatch(name) or not (path / FILE_NAME).is_file():
                raise NotFoundError(f"no collection {name!r}")
            served = await self.writers.run(self._open_late, name)
        return served

    def _open_late(self, name: str) -> Served:
        with self._opening:
            with self._lock:
                served = self._served.setdefault(name, Served(name, self.root / name))
            if served.status in ("loading", "building"):
                self._open(served)
            if name not in self._served:
                raise NotFoundError(f"no collection {name!r}")
            return served

    async def read(self, name: str, work: Callable[[Served], T]) -> T:
        """Run `work` on a collection in a thread for searches."""
        return await self._run(self.readers, name, work)

    async def write(self, name: str, work: Callable[[Served], T]) -> T:
        """Run `work` on a collection in a thread for writes, which never keep searches waiting."""
        return await self._run(self.writers, name, work)

    async def _run(self, pool: Pool, name: str, work: Callable[[Served], T]) -> T:
        served = await self.served(name)
        try:
            return await pool.run(work, served)
        except StorageError:
            if served.deleted:
                raise NotFoundError(f"collection {name!r} was deleted meanwhile") from None
            raise

    def create(self, name: str, config: CollectionConfig) -> tuple[Served, bool]:
        """Create a collection; False when it was there already with the same configuration.

        Its models are loaded now, so that a wrong name is known at once. Raises ConflictError
        when there is another one.
        """
        if not NAME.fullmatch(name):
            raise InvalidInputError(_RULE, field="collection")
        if self.single:
            raise ConflictError("one collection is served; serve its parent folder to create more")
        with self._opening:
            with self._lock:
                served = self._served.get(name)
                if served is None:
                    served = self._served[name] = Served(name, self.root / name)
                elif served.engine is not None and served.engine.config == config:
                    return served, False
                else:
                    raise ConflictError(f"collection {name!r} exists and differs ({served.status})")
            try:
                self._create(served, config)
            except BaseException:
                with self._lock:
                    del self._served[name]
                raise
        return served, True

    def _create(self, served: Served, config: CollectionConfig) -> None:
        try:
            for leg, chosen in config.legs.items():
                where = f"legs.{leg}.encoder"
                self._encoder(chosen.encoder)
        except (ModelError, ConfigError) as error:
            raise ConfigError(str(error), field=where) from None
        engine = Engine.create(served.path, config, encoders=self._encoder)
        try:
            self._adopt(served, engine)
        except BaseException:
            engine.close()
            raise

    def delete(self, name: str) -> None:
        """Delete a collection, damaged ones too. After a crash midway it is deleted as well."""
        if self.single:
            raise ConflictError("the folder being served is not deleted")
        with self._lock:
            served = self._served.get(name)
            if served is None:
                raise NotFoundError(f"no collection {name!r}")
            if served.status == "loading":
                raise ConflictError(f"collection {name!r} is loading; try again later")
            served.deleted = True
            del self._served[name]
        trash = self.root / f".{name}{_TRASH}{secrets.token_hex(4)}"
        served.path.rename(trash)
        sync_directory(self.root)
        served.close()
        remove_tree(trash)

    # -- jobs ------------------------------------------------------------------------------

    def jobs(self) -> list[tuple[str, Job]]:
        """(collection, job) of all collections, newest first."""
        found = [
            (served.name, job)
            for served in self.collections()
            if served.jobs is not None
            for job in served.jobs.latest()
        ]
        return sorted(found, key=lambda pair: -pair[1].created)

    def job(self, job_id: str) -> tuple[str, Job]:
        """(collection, job). Raises NotFoundError."""
        for served in self.collections():
            if served.jobs is not None:
                try:
                    return served.name, served.jobs.get(job_id)
                except NotFoundError:
                    continue
        raise NotFoundError(f"no job {job_id!r}; finished ones are kept for a week")

    def job_counts(self) -> dict[tuple[str, ...], float]:
        """(collection, state) -> jobs."""
        return {
            (served.name, state): count
            for served in self.collections()
            if served.jobs is not None
            for state, count in served.jobs.counts().items()
        }

    def document_counts(self) -> dict[tuple[str, ...], float]:
        """(collection,) -> documents."""
        return {
            (served.name,): served.engine.count()
            for served in self.collections()
            if served.engine is not None
        }


_RULE = "a name has 1 to 64 letters a-z, digits, - and _, and begins with a letter or digit"
