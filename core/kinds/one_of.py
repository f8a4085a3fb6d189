"""Fields of configurations that accept any kind of a family."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, Generic, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from ..config import Config
from ..errors import ConfigError, any_of, shown
from ..near import did_you_mean, nearest
from .registry import Kinds

C = TypeVar("C", bound=Config)

_LONGEST_NAME = 200
"""Maximum number of characters of a string that an error shows as the name of a model."""

_shown: ContextVar[frozenset[type[Config]]] = ContextVar("_shown", default=frozenset())
"""Kinds whose schema is being generated. A kind that contains itself becomes a reference."""


class OneOf(Generic[C]):
    """Annotation of a field that accepts any kind of a family: `Annotated[Base, OneOf(KINDS)]`.

    kinds:   registry of the family.
    default: kind of a value that has no field `kind`. None: such a value is refused.
    among:   function that returns True for the kinds that the annotated field accepts. None: the
             field accepts all kinds.
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
        """Return name -> configuration class for all kinds that the annotated field accepts."""
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
        if self._default is not None:  # `kind` may be absent, so it cannot be a discriminator.
            schema_.pop("discriminator", None)
        return schema_

    def _validated(self, value: Any, info: core_schema.ValidationInfo) -> C:
        made = isinstance(value, self._kinds.base)
        if not made and not isinstance(value, Mapping):
            raise self._refused(value, self._written(value))
        kind = getattr(value, "kind", None) if made else value.get("kind")
        if kind is None and not made:
            kind = self._default
            if kind is None:
                raise PydanticCustomError("kind", "requires the field `kind`")
        try:
            config = self._kinds.find(kind) if isinstance(kind, str) else None
        except ConfigError as error:
            raise PydanticCustomError("kind", "{text}", {"text": error.message}) from None
        if made and config is not type(value):
            name = type(value).__name__
            raise PydanticCustomError(
                "kind",
                "{name} is not registered; call twindex.core.register({name})",
                {"name": name},
            )
        if config is None or not (self._among is None or self._among(config)):
            # A known kind is not misspelled, only not accepted here.
            raise self._refused(kind, self._near(kind) if config is None else "")
        return value if made else config.model_validate(dict(value), context=info.context)

    def _refused(self, value: Any, hint: str) -> PydanticCustomError:
        """Return the error for a value that is not an object, or for an unknown kind."""
        names = [f'"{name}"' for name in self.classes()] or ["registered (no kind is registered)"]
        return PydanticCustomError(
            "kind",
            "must be an object whose kind is {names}, got {value}{hint}",
            {"names": any_of(names), "value": shown(value), "hint": hint},
        )

    def _near(self, kind: Any) -> str:
        """Return `; did you mean "NAME"?`, with the known kind that is most similar to `kind`.

        Returns "" if none is similar.
        """
        return did_you_mean(kind, self.classes(), '"') if isinstance(kind, str) else ""

    def _written(self, text: Any) -> str:
        """Return `; write OBJECT`, with the object that a caller who passed a string meant.

        Returns "" if `text` is not a string, or if no object is a probable meaning.
        """
        if not isinstance(text, str) or len(text) > _LONGEST_NAME:
            return ""
        classes = self.classes()
        if (kind := nearest(text, classes)) is not None:
            return f'; write {{"kind": "{kind}"}}'
        usual = classes.get(self._default or "")
        if usual is not None and "model" in usual.model_fields:
            return f'; write {{"model": {json.dumps(text)}}}'
        return ""


def _reference(schema: CoreSchema) -> str:
    """Return the name by which other pydantic schemas refer to a schema."""
    inner: Any = schema
    while "ref" not in inner:
        inner = inner["schema"]
    return str(inner["ref"])
