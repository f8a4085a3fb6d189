"""Parts that a request can name, such as rerankers and generators."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

from pydantic import Field

from ..ask.faults import faults_named
from ..core import (
    Config,
    ConfigError,
    InvalidInputError,
    ModelError,
    SourceError,
    UnsupportedError,
    parse_toml,
)
from ..core.config import PartName
from ..core.errors import shown
from ..core.near import did_you_mean

C = TypeVar("C", bound=Config)
P = TypeVar("P")


class MadePart(Config):
    """Base of the stand-in for the configuration of an object that the calling program created.

    kind: kind of the object.
    name: its name in the registry.
    made: the object.
    """

    kind: str
    name: PartName
    made: Any = Field(exclude=True)

    def make(self) -> Any:
        return self.made


class _Parts(Generic[C, P]):
    """The content of a registry, which is replaced as a whole.

    configs: name -> configuration.
    load:    function that loads a part from its configuration.
    files:   name -> TOML file that configures the part.
    loaded:  name -> part, for those that are loaded.
    locks:   name -> lock that is held while the part is loaded.
    """

    __slots__ = ("configs", "files", "load", "loaded", "locks")

    def __init__(
        self, configs: Mapping[str, C], load: Callable[[C], P], files: Mapping[str, Path]
    ) -> None:
        self.configs = configs
        self.load = load
        self.files = files
        self.loaded: dict[str, P] = {}
        self.locks = {name: threading.Lock() for name in configs}


class PartRegistry(Generic[C, P]):
    """Parts by name. Each is loaded from its configuration at its first use. Thread-safe.

    noun:     word for a part in error messages, such as "reranker". Its plural is the table of the
              parts in a TOML file, such as `[rerankers.NAME]`.
    field:    field of a request that names a part, such as `rewrite.model`.
    method:   method of the parts that does their work.
    file:     class that describes the content of the TOML file.
    stand_in: class of the stand-ins for the configurations of objects (see `MadePart`).
    always:   name -> configuration, for parts that every registry has. They come after the given
              parts.
    """

    noun: ClassVar[str]
    field: ClassVar[str]
    method: ClassVar[str]
    file: ClassVar[type[Config]]
    stand_in: ClassVar[type[MadePart]]
    always: ClassVar[Mapping[str, Any]] = {}

    def __init__(
        self,
        configs: Mapping[str, C | P] | None = None,
        *,
        load: Callable[[C], P] | None = None,
        files: Mapping[str, Path] | None = None,
    ) -> None:
        """Create a registry.

        configs: name -> a configuration, or an object.
        load:    function that loads a part from its configuration. None: the method `load` of the
                 configuration.
        files:   name -> TOML file that configures the part, for the errors of loading.
        """
        named, made = {}, {}
        given: Mapping[str, Any] = configs or {}
        for name, one in given.items():
            if isinstance(one, Config):
                named[name] = one
            else:
                if not hasattr(one, "kind") or not callable(getattr(one, self.method, None)):
                    raise ConfigError(
                        f"must be a configuration, or an object with the attribute `kind` and the "
                        f"method `{self.method}`, got {shown(one)}",
                        field=f"{self.noun}s.{name}",
                    )
                made[name] = self.stand_in(name=name, kind=one.kind, made=one)
        nouns = f"{self.noun}s"
        found = getattr(self.file(**{nouns: named}), nouns) | made
        missing = {name: one for name, one in self.always.items() if name not in found}
        self._parts: _Parts[C, P] = _Parts(found | missing, load or _load, files or {})

    @classmethod
    def read(cls, path: Path, *, load: Callable[[C], P] | None = None) -> Self:
        """Return a registry of the parts in a TOML file, one table `[NOUNs.NAME]` for each.

        Raises SourceError for an invalid file; the error names the file and the field.
        """
        configs = cls.configs_in(path)
        return cls(configs, load=load, files=dict.fromkeys(configs, path))

    @classmethod
    def configs_in(cls, path: Path) -> Mapping[str, C]:
        """Return name -> configuration for the parts in a TOML file.

        Raises the errors of `read`.
        """
        found: Mapping[str, C] = getattr(parse_toml(path, cls.file.parse), f"{cls.noun}s")
        return found

    @property
    def configs(self) -> Mapping[str, C]:
        """Name -> configuration."""
        return self._parts.configs

    @property
    def files(self) -> Mapping[str, Path]:
        """Name -> TOML file that configures the part."""
        return self._parts.files

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._parts.configs)

    def config(self, name: str) -> C:
        """Return the configuration of the part with a name.

        Raises InvalidInputError if there is none; the error lists the configured names.
        """
        return self._config(self._parts, name)

    def _config(self, parts: _Parts[C, P], name: str) -> C:
        found = parts.configs.get(name)
        if found is None:
            known = ", ".join(parts.configs)
            raise InvalidInputError(
                f"there is no {self.noun} {name!r}; "
                + (
                    f"the configured {self.noun}s are {known}{did_you_mean(name, parts.configs)}"
                    if known
                    else f"no {self.noun} is configured"
                ),
                field=self.field,
            )
        return found

    def get(self, name: str) -> P:
        """Return the part with a name; load it at the first call.

        Raises InvalidInputError for an unknown name, and the errors of loading: ModelError in place
        of an unknown exception. If loading fails, the next call tries again.
        """
        parts = self._parts  # Another thread may replace them.
        config = self._config(parts, name)
        found = parts.loaded.get(name)
        if found is None:
            with parts.locks[name]:
                found = parts.loaded.get(name)
                if found is None:
                    found = parts.loaded[name] = self._made(parts, name, config)
        return found

    def replace(self, other: Self) -> None:
        """Replace the parts by those of another registry. Work with an old part goes on with it."""
        self._parts = other._parts

    def _made(self, parts: _Parts[C, P], name: str, config: C) -> P:
        part = f"{self.noun} {name!r}"
        with faults_named(f"loading {part}"), self._placed(name, parts.files.get(name)):
            found = parts.load(config)
        if not callable(getattr(found, self.method, None)):
            raise ModelError(
                f"loading {part} returned {type(found).__name__}, which has no method "
                f"`{self.method}`"
            )
        return found

    @contextmanager
    def _placed(self, name: str, path: Path | None) -> Iterator[None]:
        """Name the part, and the file that configures it, in errors of loading the part."""
        table = f"{self.noun}s.{name}"
        try:
            yield
        except SourceError:  # It names another file.
            raise
        except ConfigError as error:
            if path is None:
                raise
            field = ".".join(filter(None, (table, error.field)))
            raise SourceError(error.message, path=path, field=field) from error
        except ModelError as error:
            kind = UnsupportedError if isinstance(error, UnsupportedError) else ModelError
            place = f"{self.noun} {name!r}" if path is None else f"{path}: {table}"
            raise kind(f"{place}: {error}") from error


def _load(config: Any) -> Any:
    return config.load()
