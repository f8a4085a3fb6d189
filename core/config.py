"""Base class of all configuration objects, and types of fields that several of them share."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Self, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    Strict,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, ErrorDetails, InitErrorDetails, PydanticCustomError

from .bounds import STORED
from .errors import ConfigError, shown
from .near import nearest

Device = Literal["auto", "cpu", "cuda"]
"""Device that a model runs on. "auto": CUDA if there is a GPU, else the CPU. The device is not part
of the model's identity."""

Flag = Annotated[bool, Strict()]
"""True or False. Neither 1 nor the string "true" is accepted."""

PART_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"

PartName = Annotated[str, Field(pattern=PART_NAME)]
"""Name of a part that requests may select, such as a reranker or a generator."""

Precision = Literal["float32", "bfloat16"]
"""Arithmetic of a model. bfloat16 is faster on processors that support it (AVX512-BF16, AMX, GPU)
and slower on others. benchmarks/speed/encode.py measures its effect."""


class Config(BaseModel):
    """Base class of every configuration object and request.

    An unknown field raises ConfigError, which suggests the most similar name of a field. A wrong
    value raises ConfigError, which names the field. If a field does not accept None, then None
    (null in JSON) is the same as leaving the field out.
    """

    # Not `use_attribute_docstrings`: it reads the source of each class when the class is made,
    # which took a quarter of the time of importing Twindex. See `meanings`.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise _refusal(error, fields) from None

    # Validation of nested objects must not call __init__, which would lose the path of the field.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> Self:
        """Return the configuration that a mapping describes.

        Raises ConfigError, which names the field, for a wrong value.
        """
        if not isinstance(value, Mapping):
            raise ConfigError(f"{cls.__name__} must be an object with fields, got {shown(value)}")
        fields = dict(value)
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            raise _refusal(error, value) from None

    @classmethod
    def stored(cls, value: str | Mapping[str, Any]) -> Self:
        """Return the configuration that a JSON string or a mapping from disk describes.

        Numbers may be out of bounds, because bounds change between versions. Raises pydantic's
        ValidationError for a wrong value.
        """
        if isinstance(value, str):
            return cls.model_validate_json(value, context=STORED)
        return cls.model_validate(dict(value), context=STORED)

    @classmethod
    def meanings(cls) -> Mapping[str, str]:
        """Return field name -> its description: the string below the field in the source.

        A description that is an argument of `Field` comes first. A field without any is left out.
        """
        return _meanings(cls)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return pydantic's schema, with the docstrings of the fields as descriptions."""
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, meaning in cls.meanings().items():
            if name in properties:
                properties[name].setdefault("description", meaning)
        return schema

    @model_validator(mode="wrap")
    @classmethod
    def _fields_known(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(value, Mapping):
            absent = [name for name in _never_none(cls) if name in value and value[name] is None]
            if absent:
                value = {name: item for name, item in value.items() if name not in absent}
        try:
            return handler(value)
        except ValidationError as error:
            found = error.errors(include_url=False)
            if all(one["type"] != "extra_forbidden" or len(one["loc"]) > 1 for one in found):
                raise
            # An unknown field is probably a missing one, misspelled, so it comes first.
            found.sort(key=lambda one: one["type"] == "missing" and len(one["loc"]) == 1)
            raise ValidationError.from_exception_data(
                error.title, [_named(cls, one) for one in found]
            ) from None


@cache
def _meanings(config: type[Config]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for base in reversed(config.__mro__):
        if issubclass(base, Config):
            found.update(_docstrings(base.__module__).get(base.__qualname__, {}))
    texts = {name: one.description or found.get(name) for name, one in config.model_fields.items()}
    return {name: text for name, text in texts.items() if text}


@cache
def _docstrings(module: str) -> Mapping[str, Mapping[str, str]]:
    """Return the docstrings of the attributes of each class: qualified name -> attribute -> text.

    An annotated attribute without docstring has the text "". Without the module's source, the
    result is empty.
    """
    try:
        source = inspect.getsource(sys.modules[module])
    except (KeyError, TypeError, OSError):
        return {}
    return dict(_classes(ast.parse(source).body, ""))


def _classes(body: list[ast.stmt], outer: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    for node in body:
        if isinstance(node, ast.FunctionDef):
            yield from _classes(node.body, f"{outer}{node.name}.<locals>.")
        if not isinstance(node, ast.ClassDef):
            continue
        found: dict[str, str] = {}
        for part, below in pairwise([*node.body, ast.Pass()]):
            if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                found[part.target.id] = inspect.cleandoc(_text(below))
        yield f"{outer}{node.name}", found
        yield from _classes(node.body, f"{outer}{node.name}.")


def _text(node: ast.stmt) -> str:
    """Return the text of a statement that is a literal string; "" for any other statement."""
    value = node.value if isinstance(node, ast.Expr) else None
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""


@cache
def _never_none(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the names of the fields of a model class that do not accept None.

    For these fields, None in the input means that the field is absent.
    """
    return tuple(
        name for name, field in model.model_fields.items() if not _admits_none(field.annotation)
    )


def _admits_none(annotation: Any) -> bool:
    if get_origin(annotation) in (Union, UnionType):
        return any(map(_admits_none, get_args(annotation)))
    if get_origin(annotation) is Annotated:
        return _admits_none(get_args(annotation)[0])
    return annotation in (None, NoneType, Any)


def _named(model: type[BaseModel], error: ErrorDetails) -> InitErrorDetails:
    """Return a pydantic error with a message for users of Twindex.

    For an unknown field of `model`, the message suggests the most similar name of a field.
    """
    if error["type"] != "extra_forbidden" or len(error["loc"]) > 1:
        kind: Any = PydanticCustomError(_TEXT, "{text}", {"text": message_of(error)})
        return InitErrorDetails(type=kind, loc=error["loc"], input=error["input"])
    known = list(model.model_fields)
    near = nearest(str(error["loc"][0]), known)
    hint = f"did you mean `{near}`?" if near else f"known fields: {', '.join(known)}"
    kind = PydanticCustomError("extra_forbidden", "unknown field; {hint}", {"hint": hint})
    return InitErrorDetails(type=kind, loc=error["loc"], input=error["input"])


_TEXT = "text"
_CLASS = re.compile(r" or instance of \w+")
"""Matches the name of a Python class in a message of pydantic."""


def message_of(error: ErrorDetails) -> str:
    """Return the message of a pydantic error, reworded for users of Twindex."""
    message, given = error["msg"].removeprefix("Value error, "), error.get("input")
    message = message.replace("a valid dictionary or object to extract fields from", "an object")
    message = _CLASS.sub("", message).replace("a valid integer", "an integer")
    message = message.replace("a valid ", "a ").replace("a dictionary", "an object")
    message = message.replace("a tuple", "a list").partition(", unable to")[0]
    if error["type"] == "missing":
        return "is required"
    if error["type"] == "string_unicode":
        return "contains half of a surrogate pair, which is not Unicode text; remove it"
    if error["type"] == "string_too_long" and isinstance(given, str):
        most = error["ctx"]["max_length"]
        return f"must have at most {most:,} characters, got {len(given):,}"
    if error["type"] in ("too_short", "too_long"):
        bounds = error["ctx"]
        few = error["type"] == "too_short"
        limit = bounds["min_length"] if few else bounds["max_length"]
        items = "item" if limit == 1 else "items"
        return (
            f"must have at {'least' if few else 'most'} {limit:,} {items}, "
            f"got {bounds['actual_length'] or 0:,}"
        )
    message = message.replace("String should ", "must ")
    if message.startswith("Input should be ") and "input" in error:
        return f"must be {message.removeprefix('Input should be ')}, got {shown(given)}"
    return message


def _refusal(error: ValidationError, value: Any) -> ConfigError:
    field, message = invalid_fields(error, value)[0]
    return ConfigError(message, field=field)


_BRANCHES = ("list[", "dict[", "tuple[", "function-")
"""Beginnings of the names of branches of unions, as pydantic makes them."""

_TYPE = re.compile(r"must be (.+), got (.+)", re.DOTALL)


def invalid_fields(error: ValidationError, value: Any) -> list[tuple[str | None, str]]:
    """Return (path, message) of each invalid field of a value.

    For a value that fits no branch of a union, pydantic reports an error for each branch. Errors
    about the type of the value become one. They are left out if the value has the type of another
    branch, and a part of it is invalid.

    value: the value that pydantic refused.
    """
    found: dict[str | None, list[str]] = {}
    for one in error.errors(include_url=False):
        found.setdefault(field_path(one["loc"], value), []).append(message_of(one))
    paths = [path for path in found if path is not None]
    return [
        (path, message)
        for path, messages in found.items()
        if path is None or not any(one.startswith((f"{path}.", f"{path}[")) for one in paths)
        for message in _joined(messages)
    ]


def _joined(messages: list[str]) -> list[str]:
    """Return messages about one field. Those about its type become one, or yield to others."""
    types = [_TYPE.fullmatch(one) for one in messages]
    if len(messages) > 1 and all(types) and len({one[2] for one in types if one}) == 1:
        kinds = " or ".join(dict.fromkeys(one[1] for one in types if one))
        return [f"must be {kinds}, got {types[0][2] if types[0] else ''}"]
    rest = [one for one, kind in zip(messages, types, strict=True) if kind is None]
    return list(dict.fromkeys(rest or messages))


def field_path(place: tuple[int | str, ...], value: Any) -> str | None:
    """Return the path of the field that an error of pydantic concerns, such as `legs[0].name`.

    Returns None if the error concerns the whole value.

    place: location of the error, as pydantic gives it, such as ("legs", 0, "name"). Names of
           branches of unions, which pydantic inserts into it, do not become parts of the path.
    value: the value that pydantic refused.
    """
    path = ""
    for position, part in enumerate(place):
        if isinstance(part, int):
            path += f"[{part}]"
            value = value[part] if isinstance(value, list | tuple) and part < len(value) else None
        elif _is_tag(part, value, last=position == len(place) - 1):
            continue
        else:
            path += f".{part}"
            value = value.get(part) if isinstance(value, Mapping) else None
    return path.removeprefix(".") or None


def _is_tag(part: str, value: Any, *, last: bool) -> bool:
    """Return True if `part` of an error's location is the branch of a union, not a field name.

    value: the value at this location.
    last:  True if `part` is the last part of the location.
    """
    branch = part.startswith(_BRANCHES) or part in ("str", "int", "float", "bool")
    if isinstance(value, str | int | float | list | tuple):
        # A validator may make an object of a text, so a name of a field may follow: the name of a
        # class is a branch, and the name of a field is not.
        return branch or part[:1].isupper()
    if branch and isinstance(value, Mapping) and part not in value:
        return True
    if not isinstance(value, Mapping) or part in value:
        return False
    return not last or value.get("kind") == part
