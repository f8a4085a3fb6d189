"""Fields of other services' requests that Twindex does not support."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ....core.errors import shown
from ...serving.problems import Problem, invalid_field

UNSUPPORTED = "unsupported_parameter"
"""Code of the error for a field that an interface does not support."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A field that is refused, unless its value asks for what happens anyway.

    reason:  why it is refused, and what to do instead.
    neutral: values with which the field is accepted, besides null.
    """

    reason: str
    neutral: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a request that have no effect.

    refused: field -> why it is refused.
    ignored: field -> why it may be sent although it changes nothing.
    """

    refused: Mapping[str, Refused]
    ignored: Mapping[str, str]

    def supported(self, given: Mapping[str, Any], path: str = "") -> dict[str, Any]:
        """Return a request without these fields.

        path: text before the name of a field in errors.

        Raises Problem 422, with all refused fields.
        """
        errors = []
        for field, value in given.items():
            one = self.refused.get(field)
            if one is not None and value is not None and not _is_one_of(value, one.neutral):
                errors.append({"field": path + field, "message": one.reason})
        if errors:
            detail = "; ".join(f"{one['field']}: {one['message']}" for one in errors)
            raise Problem(422, detail, code=UNSUPPORTED, errors=errors)
        return {
            field: value
            for field, value in given.items()
            if field not in self.refused and field not in self.ignored
        }

    def supported_items(self, given: dict[str, Any], field: str) -> dict[str, Any]:
        """Return a request without these fields in the objects of a list.

        field: name of the list.

        Raises Problem 422, with all refused fields of the first object that has one.
        """
        if not isinstance(items := given.get(field), list):
            return given
        kept = [
            self.supported(one, f"{field}[{i}].") if isinstance(one, dict) else one
            for i, one in enumerate(items)
        ]
        return {**given, field: kept}


def unsupported(field: str, message: str) -> Problem:
    """Return the Problem 422 for a field that is not supported."""
    return invalid_field(field, message, code=UNSUPPORTED)


def _is_one_of(value: Any, accepted: tuple[Any, ...]) -> bool:
    """Return True if a value is accepted. A number equals no boolean: 1 is not true."""
    return any(
        value == one and isinstance(value, bool) == isinstance(one, bool) for one in accepted
    )


_PART = ("type", "text", "annotations", "logprobs", "prompt_cache_breakpoint")
"""Fields that a part with text may have. Only `type` and `text` have an effect: the others belong
to earlier replies, which clients send back, or to a cache that needs no hints."""


def texts_of(content: Any, field: str, types: tuple[str, ...] = ("text",)) -> str:
    """Return the text of the content of a message: a string, or a list of parts with text.

    types: values of `type` that a part with text may have.

    Raises Problem 422 for a part that is not a text, such as an image, or has an unknown field.
    """
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise invalid_field(field, f"must be a string or a list of parts, got {shown(content)}")
    texts = []
    for i, part in enumerate(content):
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind not in types:
            raise unsupported(
                f"{field}[{i}].type", f"only text is supported, got {shown(kind)}; remove this part"
            )
        text = part.get("text")
        if not isinstance(text, str):
            raise invalid_field(f"{field}[{i}].text", f"must be a string, got {shown(text)}")
        for name in part:
            if name not in _PART:
                raise unsupported(f"{field}[{i}].{name}", "unknown field of a part; remove it")
        texts.append(text)
    return "".join(texts)
