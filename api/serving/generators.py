"""The generators of a server. They load when the server starts, and never during a request."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from ...core import ModelError
from ...core.config import Device
from ...generate import (
    AnswerOptions,
    Candidate,
    Generator,
    GeneratorConfig,
    Task,
    load_generator,
)
from ...search import GeneratorRegistry
from .preloaded import PreloadedParts

_TEXT = "A kiwi is a bird that cannot fly."
_TASK = Task("What is a kiwi?", [Candidate("1", _TEXT, 0, len(_TEXT))], AnswerOptions(max_tokens=8))


class ServedGenerators(PreloadedParts[GeneratorConfig, Generator], GeneratorRegistry):
    """The generators that requests may use. `load` loads them before their first use."""

    def __init__(self, configs: Mapping[str, GeneratorConfig], device: Device | None) -> None:
        super().__init__(configs, load=partial(load_generator, device=device))

    @classmethod
    def of(cls, path: Path | None, device: Device | None) -> ServedGenerators:
        """Return a registry with the generators of a TOML file, and with "extractive".

        path: TOML file. None: the registry has only "extractive".

        Raises SourceError, with file and field, for an invalid file.
        """
        return cls({} if path is None else GeneratorRegistry.read(path).configs, device)

    def warm_up(self, part: Generator) -> Exception | None:
        """Answer a question. See `PreloadedParts.warm_up`."""
        try:
            part.answer([_TASK])
        except ModelError as error:
            return error
        return None
