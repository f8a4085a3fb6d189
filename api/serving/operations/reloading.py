"""Read the files of rerankers, generators and rewriters again, while the server runs.

All of the new configuration is loaded before any of it is used. If something is wrong, the old
configuration stays as it is. Requests that run end with the parts that they began with, and the
models of replaced parts are then released.
"""

from __future__ import annotations

import gc
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from threading import Lock, Thread
from time import sleep
from typing import Any
from weakref import ref

from ....core import Config, ConflictError, ModelError, TwindexError
from ....llm import find_weights
from ....llm.fake import NAME as FAKE
from ..allowed import objects
from ..generators import ServedGenerators
from ..preloaded import PreloadedParts
from ..rerankers import ServedRerankers
from ..rewriters import ServedRewriters
from ..settings import Settings

logger = logging.getLogger(__name__)

KINDS: Mapping[str, type[PreloadedParts[Any, Any]]] = {
    "rerankers": ServedRerankers,
    "generators": ServedGenerators,
    "rewriters": ServedRewriters,
}
"""Setting that names a TOML file -> class of the registry of its parts."""

RELEASE_SECONDS = 600
"""Seconds for which replaced parts are waited for."""
_REMOTE = ("base_url", "url")
"""Fields of models that run in another process."""

_NOTHING = "nothing is reloaded, and all parts stay as they are"

Parts = PreloadedParts[Any, Any]


@dataclass(frozen=True, slots=True)
class ServedParts:
    """The parts of a server that requests can name."""

    rerankers: ServedRerankers
    generators: ServedGenerators
    rewriters: ServedRewriters

    @classmethod
    def of(cls, settings: Settings) -> ServedParts:
        """Return the parts in the files of the settings. Raises SourceError for an invalid file."""
        made: dict[str, Any] = {
            setting: kind.of(getattr(settings, setting), settings.device)
            for setting, kind in KINDS.items()
        }
        return cls(**made)

    @property
    def by_setting(self) -> dict[str, Parts]:
        """Setting of the file -> registry."""
        return {setting: getattr(self, setting) for setting in KINDS}

    @property
    def configs(self) -> list[Config]:
        """The configurations of all parts."""
        every = [one for parts in self.by_setting.values() for one in registries(parts).values()]
        return [config for one in every for config in one.configs.values()]

    def load(self, stopping: Callable[[], bool]) -> None:
        """Load every part; see `PreloadedParts.load`."""
        for parts in self.by_setting.values():
            parts.load(stopping)


@dataclass(frozen=True, slots=True)
class Changes:
    """Names of parts, by what a reload did with them."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


def registries(parts: Parts) -> dict[str, Parts]:
    """Return table of a TOML file -> registry, for a registry and what it contains."""
    found = {f"{parts.noun}s": parts}
    backgrounds = getattr(parts, "backgrounds", None)
    if backgrounds is not None:
        found["backgrounds"] = backgrounds
    return found


def models_of(parts: Parts) -> list[str]:
    """Return the names of the models that run in this process, of all parts of a registry."""
    found = []
    for one in registries(parts).values():
        for config in one.configs.values():
            for value in objects(config.model_dump()):
                model = value.get("model")
                if isinstance(model, str) and not any(value.get(name) for name in _REMOTE):
                    found.append(model)
    return found


def missing_models(models: Mapping[str, str]) -> Iterator[str]:
    """Yield a message for each model that is not on this machine. models: name -> its place."""
    for name, where in models.items():
        try:
            if name != FAKE:
                find_weights(name)
        except ModelError as error:
            yield f"{where}: {error}"


class Reloading:
    """Reloads the parts of a server whose files the operator has named.

    parts:   parts that requests use.
    loading: returns True while the server starts.
    done:    called after a reload; it lets other workers reload, and waits for them.
    counts:  outcome -> number of reloads: "done", or "refused" if the old configuration stays.
    problem: why the latest reload was refused; None if it was not.
    """

    def __init__(
        self,
        parts: ServedParts,
        settings: Settings,
        loading: Callable[[], bool],
        done: Callable[[], None] = lambda: None,
    ) -> None:
        self._parts = parts.by_setting
        self._settings = settings
        self._loading = loading
        self._done = done
        self._lock = Lock()
        self.counts: Counter[str] = Counter(done=0, refused=0)
        self.problem: str | None = None

    def attempt(self) -> None:
        """Reload as `run` does, where nobody waits for the result. Every error is logged."""
        try:
            self.run()
        except ConflictError:
            pass  # It is logged.
        except Exception:
            logger.exception("%s: an unexpected error", _NOTHING)

    def run(self) -> dict[str, Changes]:
        """Read all files again, and return the changes of each table.

        Raises ConflictError, with the reason, if the old configuration stays, and logs the reason.
        """
        if not self._lock.acquire(blocking=False):
            raise _not_now("a reload is running; wait until it ends")
        try:
            if self._loading():
                raise _not_now("the server is still loading; try again when it is ready")
            try:
                found = self._replace()
            except TwindexError as error:
                self._refuse(self._public(str(error)))
                logger.error("%s: %s", _NOTHING, error)
                raise ConflictError(f"{_NOTHING}: {self.problem}") from None
            except Exception:
                self._refuse("an unexpected error")
                raise
            self.counts["done"] += 1
            self.problem = None
            self._done()
        finally:
            self._lock.release()
        for table, changes in found.items():
            done = [f"{len(names)} {what}" for what, names in _items(changes) if names]
            if done:
                logger.info("%s reloaded: %s", table, ", ".join(done))
        return found

    def _refuse(self, problem: str) -> None:
        self.counts["refused"] += 1
        self.problem = problem

    def _public(self, message: str) -> str:
        """Return a message without the folders of the operator's files."""
        for setting in self._parts:
            path = getattr(self._settings, setting)
            if path is not None:
                message = message.replace(str(path), path.name)
        return message

    def _replace(self) -> dict[str, Changes]:
        fresh: dict[str, Parts] = {}
        for setting, old in self._parts.items():
            path = getattr(self._settings, setting)
            new = fresh[setting] = KINDS[setting].of(path, self._settings.device)
            for problem in missing_models(dict.fromkeys(models_of(new), setting)):
                raise ModelError(problem)
            new.adopt(old)
        for setting, new in fresh.items():
            new.load(lambda: False)
            _check(new, self._parts[setting])
        found: dict[str, Changes] = {}
        replaced: list[Any] = []
        for setting, new in fresh.items():
            old = self._parts[setting]
            for table, one in registries(old).items():
                changes, gone = _compared(one, registries(new)[table])
                found[table] = changes
                replaced += gone
            old.replace(new)
        _release([weak for part in replaced if (weak := _weak(part)) is not None])
        return found


def _not_now(reason: str) -> ConflictError:
    """Return the error of a reload that cannot begin, and log it."""
    logger.warning("%s: %s", _NOTHING, reason)
    return ConflictError(reason)


def _check(new: Parts, old: Parts) -> None:
    """Raise the error of a new or changed part that could not be loaded."""
    before = registries(old)
    for table, one in registries(new).items():
        for name, problem in one.problems.items():
            if before[table].configs.get(name) != one.configs[name]:
                raise problem.with_traceback(None)


def _compared(old: Parts, new: Parts) -> tuple[Changes, list[Any]]:
    """Return how parts change, and the loaded parts that are replaced or removed."""
    before, after, changes = old.configs, new.configs, Changes()
    for name in after:
        if name not in before:
            changes.added.append(name)
        elif before[name] == after[name]:
            changes.kept.append(name)
        else:
            changes.changed.append(name)
    changes.removed.extend(name for name in before if name not in after)
    return changes, old.loaded_parts([*changes.changed, *changes.removed])


def _items(changes: Changes) -> list[tuple[str, list[str]]]:
    return [
        ("added", changes.added),
        ("changed", changes.changed),
        ("removed", changes.removed),
    ]


def _weak(part: Any) -> ref[Any] | None:
    try:
        return ref(part)
    except TypeError:
        return None


def _release(parts: list[ref[Any]]) -> None:
    """Let the garbage collector find replaced parts, in a thread, once no request uses them.

    The server takes its models out of garbage collections, which are slow with many objects.
    """
    gc.unfreeze()
    if not parts:
        gc.freeze()
        return

    def wait() -> None:
        waited, pause = 0.0, 0.5
        while waited < RELEASE_SECONDS:
            gc.collect()
            if all(part() is None for part in parts):
                break
            sleep(pause)
            waited, pause = waited + pause, min(2 * pause, 30.0)
        else:
            logger.warning("a replaced part is still in use after %d seconds", RELEASE_SECONDS)
        gc.freeze()

    Thread(target=wait, name="twindex-release", daemon=True).start()
