"""Backgrounds of answers: texts that a model writes first, and that the generator reads."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from ...core.config import PART_NAME, Flag
from ...generate import Background, BackgroundConfig, BackgroundOptions, Generators
from ..registry import MadePart, PartRegistry
from ..stages import by_model


class BackgroundRequest(BackgroundOptions):
    """Generated texts for an answer (generate-then-read). They are never cited.

    model:    name of a configured background.
    only:     answer from the generated texts alone: nothing is searched, and nothing is cited.
    on_error: what to do if the model fails, or if a limit is reached before it has written a text.
              "fail" = raise the error; "leave_out" = answer from the passages, with a warning.
    """

    model: str = Field(json_schema_extra={"pattern": PART_NAME})
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
                f"`{given[0]}` is about passages, but `only` answers without passages; leave "
                f"`{given[0]}` out"
            )
        return self


BackgroundField = Annotated[
    BackgroundRequest,
    BeforeValidator(by_model, json_schema_input_type=BackgroundRequest | str),
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
    method = "write"
    file = Generators
    stand_in = _BackgroundObject
