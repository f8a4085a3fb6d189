"""Parts that requests can name, such as rerankers. They load when the server starts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import Any, Literal, Self, TypeVar

from ...ask.faults import faults_named
from ...ask.waiting import let_end
from ...core import Config, MissingExtraError, ModelError, TwindexError, UnsupportedError
from ...core.config import Device
from ...core.kinds import load_part
from ...search.registry import PartRegistry
from .problems import Problem

logger = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds that the server waits for the first run of a part before it reports that it is ready."""

_POLL = 0.05

Status = Literal["loading", "ready", "unavailable"]
"""State of a part. unavailable: its model could not be loaded."""

C = TypeVar("C", bound=Config)
P = TypeVar("P")


class PreloadedParts(PartRegistry[C, P]):
    """A registry whose parts are loaded before their first use, by `load`."""

    def __init__(
        self,
        configs: Mapping[str, C],
        device: Device | None,
        files: Mapping[str, Path] | None = None,
    ) -> None:
        """Create a registry.

        configs: name -> configuration.
        device:  device of the models. None: the device that the configuration names.
        files:   name -> TOML file that configures the part.
        """
        load: Callable[[Any], P] = partial(load_part, device=device)
        super().__init__(configs, load=load, files=files)
        self._ready: set[str] = set()
        self._problems: dict[str, TwindexError] = {}
        self._adopted: set[str] = set()
        self._level = logging.ERROR

    @classmethod
    def of(cls, path: Path | None, device: Device | None) -> Self:
        """Return a registry with the parts of a TOML file; none if `path` is None.

        Raises SourceError, with file and field, for an invalid file.
        """
        configs = {} if path is None else cls.configs_in(path)
        return cls(configs, device, {} if path is None else dict.fromkeys(configs, path))

    @property
    def problems(self) -> Mapping[str, TwindexError]:
        """Name -> error, for the parts that could not be loaded."""
        return self._problems

    def loaded_parts(self, names: Iterable[str]) -> list[P]:
        """Return those of the named parts that are loaded."""
        loaded = self._parts.loaded
        return [loaded[name] for name in names if name in loaded]

    def adopt(self, old: Self) -> None:
        """Take the loaded parts of another registry whose configurations are the same here.

        For a registry that is to replace the other one: its parts are loaded, and a failure is not
        logged as an error, because the old parts stay in use.
        """
        self._level = logging.DEBUG
        for name, config in self.configs.items():
            part = old._parts.loaded.get(name)
            if part is not None and old.configs.get(name) == config and name not in old._problems:
                self._parts.loaded[name] = part
                self._adopted.add(name)

    def replace(self, other: Self) -> None:
        """Replace the parts; see `PartRegistry.replace`."""
        ready = self._ready
        super().replace(other)
        self._ready, self._problems = other._ready, other._problems
        # A part that is not ready yet may have become so in the meantime.
        self._ready |= ready & other._adopted

    def load(self, stopping: Callable[[], bool]) -> None:
        """Load every part and run it once. If one fails, stores its error and loads the others.

        Parts without a model come first, because nothing makes them wait.

        Waits at most PATIENCE seconds for the run of a part, because the server of its model may
        not answer. The status of the part stays "loading" until the run ends.

        stopping: returns True if the server stops. No further part is then loaded.
        """
        for name in sorted(self.names, key=lambda one: _has_model(self.configs[one])):
            if name in self._adopted:
                continue
            if stopping():
                return
            with self._problem_stored(name):
                part = super().get(name)
                run = Thread(
                    target=self._run, args=(name, part), name=f"twindex-warm-{name}", daemon=True
                )
                run.start()
                let_end(run)
                late = monotonic() + PATIENCE
                while run.is_alive() and monotonic() < late and not stopping():
                    run.join(_POLL)
                if run.is_alive():
                    logger.warning(
                        "%s %s has not answered its first task for %g s; it is served when it "
                        "has, and all else is served now",
                        self.noun,
                        name,
                        PATIENCE,
                    )

    def _run(self, name: str, part: P) -> None:
        """Run a part once. It is ready afterwards."""
        with self._problem_stored(name):
            try:
                with faults_named(f"{self.noun} {name!r}"):
                    self.warm_up(part)
            except ModelError as problem:  # The server of its model may work later.
                logger.warning("%s %s currently fails: %s", self.noun, name, problem)
            self._ready.add(name)

    @contextmanager
    def _problem_stored(self, name: str) -> Iterator[None]:
        """Return a context manager. An error in its block makes the part unavailable."""
        try:
            yield
        except TwindexError as error:
            logger.log(self._level, "%s %s is not served: %s", self.noun, name, error)
            # A client must not see the path of the file that configures the part.
            cause = error.__cause__ if isinstance(error.__cause__, TwindexError) else error
            # A wrong configuration is not an error of the request.
            kind = UnsupportedError if isinstance(error, UnsupportedError) else ModelError
            known = kind(f"{self.noun} {name!r}: {cause}")
            self._problems[name] = error if isinstance(error, MissingExtraError) else known

    def warm_up(self, part: P) -> None:
        """Run a part once, so that the first request does not pay for the warm-up of its model.

        Raises ModelError if the model currently fails.
        """
        raise NotImplementedError

    def get(self, name: str) -> P:
        """Return the part with this name.

        Raises Problem 503 while it loads, and its error if it could not be loaded.
        """
        if name in self._problems:
            # Without a fresh traceback, the error would keep the frames of every request.
            raise self._problems[name].with_traceback(None)
        if name not in self._ready:
            self.config(name)  # Raises for an unknown name.
            raise Problem(
                503, f"{self.noun} {name!r} is loading; try again", headers={"Retry-After": "1"}
            )
        return super().get(name)

    def status(self, name: str) -> Status:
        """Return whether a part is loading, ready or unavailable."""
        if name in self._problems:
            return "unavailable"
        return "ready" if name in self._ready else "loading"

    def statuses(self) -> dict[str, Status]:
        """Return name -> status, for all parts."""
        return {name: self.status(name) for name in self.names}


def _has_model(config: object) -> bool:
    """Return True if the configuration of a part has a field that names a model."""
    fields = getattr(type(config), "model_fields", {})
    return any(name in fields for name in ("llm", "model")) or bool(
        getattr(config, "entailment", None)
    )
