"""Registries of kinds. A kind is a configuration class that the field `kind` selects by name.

Each family (encoders, index structures, rerankers, ...) has one registry, a `Kinds`. The field
`kind` of a configuration class holds the name of the kind. The class attribute `made_by` names the
class that implements the kind. A configuration accepts exactly the registered kinds, and the JSON
schema describes them.

    @ENCODERS.register
    class MyEncoderConfig(EncoderConfig):
        made_by = "my_package.encoder:MyEncoder"
        kind: Literal["mine"] = "mine"

An installed package can add a kind by an entry point in the family's group. The entry point names
the configuration class. The package is imported when a configuration uses the kind, or when all
kinds are listed. A request can give only the name of a kind, never the name of a module.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from threading import RLock
from typing import Any, Generic, TypeVar, get_args, get_origin

from ..config import Config
from ..errors import ConfigError, shown
from ..near import did_you_mean

C = TypeVar("C", bound=Config)
K = TypeVar("K", bound=Config)

logger = logging.getLogger(__name__)

_families: list[Kinds[Any]] = []


def families() -> tuple[Kinds[Any], ...]:
    """Return the registries of all families of kinds, in the order in which they were created."""
    return tuple(_families)


class Kinds(Generic[C]):
    """A registry of the kinds (configuration classes) of one family. Thread-safe."""

    def __init__(self, base: type[C], noun: str, group: str | None = None) -> None:
        """Create an empty registry.

        base:  base class of all configurations of the family.
        noun:  name of the family in messages.
        group: entry-point group in which other packages declare kinds of this family, such as
               "twindex.backgrounds". None: other packages cannot add kinds.
        """
        self.base = base
        self.noun = noun
        self.group = group
        self._kinds: dict[str, type[C]] = {}
        self._broken: dict[str, ConfigError] = {}
        self._entries: dict[str, EntryPoint] | None = None
        self._lock = RLock()
        _families.append(self)

    def register(self, config: type[C]) -> type[C]:
        """Register a configuration class and return it, so that this method can be a decorator.

        Raises ConfigError if the class is not a subclass of `base`, lacks a required attribute, or
        has the same kind as a registered class.
        """
        if not isinstance(config, type) or not issubclass(config, self.base):
            name = getattr(config, "__name__", shown(config))
            raise ConfigError(
                f"{name} is not a subclass of {self.base.__name__}; make it one", field="kind"
            )
        names = _names(config)
        if not names:
            raise ConfigError(
                f'{config.__name__} has no name; add the field kind: Literal["name"] = "name"',
                field="kind",
            )
        with self._lock:
            for name in names:
                known = self._kinds.get(name)
                if known is not None and known is not config:
                    raise ConfigError(
                        f"a kind of {self.noun} named {name!r} already exists "
                        f"({known.__module__}.{known.__qualname__}); choose another name",
                        field="kind",
                    )
            self._check_complete(config)
            self._kinds.update(dict.fromkeys(names, config))
        return config

    def _check_complete(self, config: type[C]) -> None:
        """Raise ConfigError if a class lacks a required attribute or has a mutable field."""
        makes = any(
            getattr(config, method, None) is not getattr(self.base, method, None)
            for method in _MAKING
        )
        for declared in sorted(self.base.__class_vars__):
            if callable(getattr(config, declared, None)):
                raise ConfigError(
                    f"{config.__name__}.{declared} must be a value, not a method", field=declared
                )
            if not hasattr(config, declared) and not (declared == "made_by" and makes):
                raise ConfigError(
                    f"{config.__name__} must define the attribute {declared}", field=declared
                )
        for field, info in config.model_fields.items():
            if _mutable(info.annotation):
                raise ConfigError(
                    f"{config.__name__}.{field} has a mutable type, but configurations are "
                    "immutable; use a tuple or a frozenset",
                    field=field,
                )

    def find(self, name: str) -> type[C] | None:
        """Return the configuration class of the kind with this name; None if there is none.

        Raises ConfigError if the class is in a package that cannot be imported.
        """
        known = self._kinds.get(name)
        if known is None and (entry := self._installed().get(name)) is not None:
            known = self._load(entry)
        return known

    def __getitem__(self, name: str) -> type[C]:
        """Return the configuration class of the kind with this name.

        Raises ConfigError, which lists all kinds of the family, for an unknown name.
        """
        found = self.find(name)
        if found is None:
            raise ConfigError(
                f"{shown(name)} is not a kind of {self.noun}; known kinds: {', '.join(self)}"
                f"{did_you_mean(name, self)}",
                field="kind",
            )
        return found

    def __iter__(self) -> Iterator[str]:
        """Yield the names of all kinds: registered kinds first, then kinds of other packages."""
        return iter(self.classes())

    def classes(self, among: Callable[[type[C]], bool] | None = None) -> Mapping[str, type[C]]:
        """Return a mapping from the name of each kind to its configuration class.

        among: function that returns True for the kinds to include. None: all kinds.
        """
        for entry in self._installed().values():
            if entry.name not in self._kinds:
                with suppress(ConfigError):  # `_load` has logged it.
                    self._load(entry)
        with self._lock:
            kinds = dict(self._kinds)
        return {name: kind for name, kind in kinds.items() if among is None or among(kind)}

    def parse(self, value: Any) -> C:
        """Return the configuration that a mapping with the field `kind` describes.

        Raises ConfigError if `kind` is missing or unknown, or if another field is wrong.
        """
        kind = value.get("kind") if isinstance(value, Mapping) else None
        if not isinstance(kind, str):
            raise ConfigError("requires the field `kind`")
        return self[kind].parse(value)

    def _installed(self) -> Mapping[str, EntryPoint]:
        with self._lock:
            if self._entries is None:
                self._entries = {}
                for entry in entry_points(group=self.group) if self.group is not None else ():
                    if entry.name in self._entries or entry.name in self._kinds:
                        logger.warning(
                            "ignored %s of the package %s: a kind of %s named %r already exists",
                            entry.value,
                            _package(entry),
                            self.noun,
                            entry.name,
                        )
                    else:
                        self._entries[entry.name] = entry
            return self._entries

    def _load(self, entry: EntryPoint) -> type[C]:
        """Import and register the kind that an entry point of an installed package names.

        Raises ConfigError if the import or the registration fails. The cause is logged once. The
        error omits the cause, because it may contain paths that clients must not see.
        """
        with self._lock:
            if entry.name in self._broken:
                raise self._broken[entry.name].with_traceback(None)
            try:
                config = entry.load()
                self.register(config)
                if entry.name not in _names(config):
                    raise ConfigError(
                        f"{config.__name__} does not define the kind {entry.name!r}", field="kind"
                    )
                return self._kinds[entry.name]
            except Exception as error:
                what = f"the kind of {self.noun} {entry.name!r} of the package {_package(entry)}"
                logger.warning("cannot load %s: %s: %s", what, type(error).__name__, error)
                broken = ConfigError(f"cannot load {what}; see the log", field="kind")
                self._broken[entry.name] = broken
                raise broken from error


_MAKING = ("load", "make", "structure")
"""Methods of base classes that create the object that `made_by` names. A class that overrides one
of them does not need `made_by`."""


def _package(entry: EntryPoint) -> str:
    return entry.value if entry.dist is None else str(entry.dist.name)


def _mutable(annotation: Any) -> bool:
    """Return True if a value of this type may be a list, a dictionary or a set."""
    kind = get_origin(annotation) or annotation
    return kind in (list, dict, set, Mapping, bytearray) or any(map(_mutable, get_args(annotation)))


def register(config: type[K]) -> type[K]:
    """Register a configuration class in the family of its base class. See `Kinds.register`."""
    for family in _families:
        if issubclass(config, family.base):
            family.register(config)
            return config
    bases = ", ".join(sorted(family.base.__name__ for family in _families))
    raise ConfigError(
        f"{config.__name__} belongs to no family; make it a subclass of one of {bases}"
    )


def named(reference: str, beside: type[Any]) -> Any:
    """Import the object that "module:name" refers to and return it.

    beside: a class. A reference ".module:name" is relative to the package of this class.
    """
    module, _, name = reference.partition(":")
    package = beside.__module__.rpartition(".")[0]
    found: Any = import_module(module, package)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _names(config: type[Any]) -> tuple[str, ...]:
    field = getattr(config, "model_fields", {}).get("kind")
    names = () if field is None else get_args(field.annotation)
    return names if all(isinstance(name, str) for name in names) else ()
