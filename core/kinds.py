"""Kinds: what a configuration can name, and where a new one is made known.

A family (encoders, index structures, rerankers, ...) has one `Kinds`. A kind is a configuration
class whose field `kind` holds its name, and which says what is made of it. Nothing else lists
kinds: what is accepted, described and refused follows from what is registered.

    @ENCODERS.register
    class MyEncoderConfig(EncoderConfig):
        made_by = "my_package.encoder:MyEncoder"
        kind: Literal["mine"] = "mine"

A package registers its kinds when it is installed: an entry point of the family's group that names
the class. It is imported when a configuration asks for its name, or when all kinds are listed. A
request can say no more than a name.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from contextvars import ContextVar
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from threading import RLock
from typing import Any, Generic, TypeVar, get_args, get_origin

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from .errors import any_of, shown
from .config_base import Config
from .errors import ConfigError

C = TypeVar("C", bound=Config)
K = TypeVar("K", bound=Config)

logger = logging.getLogger(__name__)

_families: list[Kinds[Any]] = []


def families() -> tuple[Kinds[Any], ...]:
    """Every family, in the order in which they were made."""
    return tuple(_families)


class Kinds(Generic[C]):
    """The kinds of one family. Thread-safe."""

    def __init__(self, base: type[C], noun: str, group: str | None = None) -> None:
        """base: what all configurations inherit. noun: what messages call a kind.

        group: of the entry points by which packages add kinds.
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
        """Make a kind known; returns it, so that it serves as a decorator.

        Raises ConfigError for a class that is no kind of this family, and for a name that another
        class has.
        """
        if not isinstance(config, type) or not issubclass(config, self.base):
            name = getattr(config, "__name__", shown(config))
            raise ConfigError(f"{name} is not a {self.base.__name__}", field="kind")
        names = _names(config)
        if not names:
            raise ConfigError(
                f'{config.__name__} has no name: give it a field kind: Literal["name"] = "name"',
                field="kind",
            )
        with self._lock:
            for name in names:
                known = self._kinds.get(name)
                if known is not None and known is not config:
                    raise ConfigError(
                        f"there is a kind of {self.noun} named {name!r} already, "
                        f"{known.__module__}.{known.__qualname__}: choose another name",
                        field="kind",
                    )
            self._complete(config)
            self._kinds.update(dict.fromkeys(names, config))
        return config

    def _complete(self, config: type[C]) -> None:
        """Raises ConfigError for a class that lacks what every kind of the family must have."""
        makes = any(
            getattr(config, method, None) is not getattr(self.base, method, None)
            for method in _MAKING
        )
        for declared in sorted(self.base.__class_vars__):
            if callable(getattr(config, declared, None)):
                raise ConfigError(
                    f"{config.__name__}.{declared} is a method and must be a value", field=declared
                )
            if not hasattr(config, declared) and not (declared == "made_by" and makes):
                raise ConfigError(f"{config.__name__} must have {declared}", field=declared)
        for field, told in config.model_fields.items():
            if _mutable(told.annotation):
                raise ConfigError(
                    f"{config.__name__}.{field} can be changed, and a configuration cannot: make "
                    "it a tuple or a frozenset",
                    field=field,
                )

    def find(self, name: str) -> type[C] | None:
        """The configuration of a kind; None = there is none of this name.

        Raises ConfigError for one whose package cannot be imported.
        """
        known = self._kinds.get(name)
        if known is None and (entry := self._installed().get(name)) is not None:
            known = self._load(entry)
        return known

    def __getitem__(self, name: str) -> type[C]:
        """As `find`. Raises ConfigError, with the known kinds, for a name that none has."""
        found = self.find(name)
        if found is None:
            raise ConfigError(
                f"{shown(name)} is no kind of {self.noun}; there are {', '.join(self)}",
                field="kind",
            )
        return found

    def __iter__(self) -> Iterator[str]:
        """Names of all kinds: those of this program, then those of installed packages."""
        return iter(self.classes())

    def classes(self, among: Callable[[type[C]], bool] | None = None) -> Mapping[str, type[C]]:
        """Name -> configuration, of all kinds or of those that `among` accepts."""
        for entry in self._installed().values():
            if entry.name not in self._kinds:
                with suppress(ConfigError):  # The log has told it.
                    self._load(entry)
        with self._lock:
            kinds = dict(self._kinds)
        return {name: kind for name, kind in kinds.items() if among is None or among(kind)}

    def parse(self, value: Any) -> C:
        """A configuration from a mapping with its `kind`. Raises ConfigError."""
        kind = value.get("kind") if isinstance(value, Mapping) else None
        if not isinstance(kind, str):
            raise ConfigError("needs the field kind")
        return self[kind].parse(value)

    def _installed(self) -> Mapping[str, EntryPoint]:
        with self._lock:
            if self._entries is None:
                self._entries = {}
                for entry in entry_points(group=self.group) if self.group is not None else ():
                    if entry.name in self._entries or entry.name in self._kinds:
                        logger.warning(
                            "%s of the package %s is not used: there is a kind of %s %r already",
                            entry.value,
                            _package(entry),
                            self.noun,
                            entry.name,
                        )
                    else:
                        self._entries[entry.name] = entry
            return self._entries

    def _load(self, entry: EntryPoint) -> type[C]:
        """Import a kind of a package. Why it cannot be had is in the log, once: it may name places
        that whoever asks should not learn of."""
        with self._lock:
            if entry.name in self._broken:
                raise self._broken[entry.name].with_traceback(None)
            try:
                config = entry.load()
                self.register(config)
                if entry.name not in _names(config):
                    raise ConfigError(f"its kind is not {entry.name!r}", field="kind")
                return self._kinds[entry.name]
            except Exception as error:
                told = f"the kind of {self.noun} {entry.name!r} of the package {_package(entry)}"
                logger.warning("%s cannot be used: %s: %s", told, type(error).__name__, error)
                broken = ConfigError(f"{told} cannot be used; the log says why", field="kind")
                self._broken[entry.name] = broken
                raise broken from error


_MAKING = ("load", "make", "structure")
"""Methods of bases that make what `made_by` names. A class that has its own needs no `made_by`."""


def _package(entry: EntryPoint) -> str:
    return entry.value if entry.dist is None else str(entry.dist.name)


def _mutable(annotation: Any) -> bool:
    """Whether a value of this type may be a list, a dictionary or a set."""
    kind = get_origin(annotation) or annotation
    return kind in (list, dict, set, Mapping, bytearray) or any(map(_mutable, get_args(annotation)))


def register(config: type[K]) -> type[K]:
    """Make a kind known to the family of its base class. See `Kinds.register`."""
    for family in _families:
        if issubclass(config, family.base):
            family.register(config)
            return config
    bases = ", ".join(sorted(family.base.__name__ for family in _families))
    raise ConfigError(f"{config.__name__} is of no family; the base is one of {bases}")


def named(reference: str, beside: type[Any]) -> Any:
    """What "module:name" stands for. It is imported now, and not when the configuration is read.

    ".module:name" is in the package of the class `beside`.
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


_shown: ContextVar[frozenset[type[Config]]] = ContextVar("_shown", default=frozenset())
"""Kinds whose schema is being written. One inside itself becomes a reference."""


class OneOf(Generic[C]):
    """The annotation of a field that holds any kind of a family: `Annotated[Base, OneOf(KINDS)]`.

    default: the kind of a value that does not say it. among: which kinds may stand here.
    """

    def __init__(
        self,
        kinds: Kinds[C],
        *,
        default: str | None = None,
        among: Callable[[type[C]], bool] | None = None,
    ) -> None:
        self._kinds = kinds
        self._default = default
        self._among = among

    def classes(self) -> Mapping[str, type[C]]:
        """Name -> configuration, of what may stand here."""
        return self._kinds.classes(self._among)

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self._validated)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        choices: dict[Any, CoreSchema] = {}
        for name, config in self.classes().items():
            inner = config.__pydantic_core_schema__
            if config in _shown.get():
                inner = core_schema.definition_reference_schema(_reference(inner))
            choices[name] = inner
        token = _shown.set(_shown.get() | set(self.classes().values()))
        try:
            schema_ = handler(core_schema.tagged_union_schema(choices, discriminator="kind"))
        finally:
            _shown.reset(token)
        if self._default is not None:  # Where it may be left out, it tells nothing apart.
            schema_.pop("discriminator", None)
        return schema_

    def _validated(self, value: Any, info: core_schema.ValidationInfo) -> C:
        made = isinstance(value, self._kinds.base)
        if not made and not isinstance(value, Mapping):
            raise self._refused(value)
        kind = getattr(value, "kind", None) if made else value.get("kind")
        if kind is None and not made:
            kind = self._default
            if kind is None:
                raise PydanticCustomError("kind", "needs the field kind")
        try:
            config = self._kinds.find(kind) if isinstance(kind, str) else None
        except ConfigError as error:
            raise PydanticCustomError("kind", "{text}", {"text": error.message}) from None
        if made and config is not type(value):
            name = type(value).__name__
            raise PydanticCustomError(
                "kind", "{name} is not registered: twindex.core.register({name})", {"name": name}
            )
        if config is None or not (self._among is None or self._among(config)):
            raise self._refused(kind)
        return value if made else config.model_validate(dict(value), context=info.context)

    def _refused(self, value: Any) -> PydanticCustomError:
        """Of a value that is no object, or of its kind."""
        names = [f'"{name}"' for name in self.classes()] or ["none that there is"]
        return PydanticCustomError(
            "kind",
            "must be an object whose kind is {able}, got {value}",
            {"able": any_of(names), "value": shown(value)},
        )


def _reference(schema: CoreSchema) -> str:
    """The name by which definitions refer to a schema."""
    inner: Any = schema
    while "ref" not in inner:
        inner = inner["schema"]
    return str(inner["ref"])
