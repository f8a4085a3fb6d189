"""Backgrounds of answers: texts that a model writes first, and that the generator reads."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from ...core.config import Flag
from ...generate import Background, BackgroundConfig, BackgroundOptions, Generators
from ...generate.background.config import BACKGROUND_NAME
from ..registry import MadePart, PartRegistry


class BackgroundRequest(BackgroundOptions):
    """Generated texts for an answer (generate-then-read). They are never cited.

    model:    name of a configured background.
    only:     answer from the generated texts alone: nothing is searched, and nothing is cited.
    on_error: what to do if the model fails, or if a limit is reached before it has written a text.
              "fail" = raise the error; "leave_out" = answer from the passages, with a warning.
    """

    model: str = Field(json_schema_extra={"pattern": BACKGROUND_NAME})
    only: Flag = False
    on_error: Literal["fail", "leave_out"] = "fail"

    @model_validator(mode="after")
    def _without_passages(self) -> Self:
        given = [
            name
            for name in ("combine", "share", "on_error")
            if getattr(self, name) != type(self).model_fields[name].default
        ]
        if self.only and given:
            raise ValueError(
                f"`only` answers without passages; leave `{given[0]}` out, which is about passages"
            )
        return self


def _named(value: object) -> object:
    """Return {"model": value} for a string, and any other value unchanged."""
    return {"model": value} if isinstance(value, str) else value


BackgroundField = Annotated[
    BackgroundRequest,
    BeforeValidator(_named, json_schema_input_type=BackgroundRequest | str),
]
"""A field with a `BackgroundRequest`. The name of a background is short for {"model": name}."""


class _BackgroundObject(MadePart, BackgroundConfig):
    """A stand-in for the configuration of a background object that the calling program created."""


class BackgroundRegistry(PartRegistry[BackgroundConfig, Background]):
    """The backgrounds that an answer can name. Each is loaded at its first use. Thread-safe.

    configs: name -> a configuration, or a background object of your own.
    load:    function that loads a background from its configuration.
    """

    noun = "background"
    field = "background.model"
    file = Generators
    stand_in = _BackgroundObject
