"""The generators of a server, and the backgrounds that they read.

They load when the server starts, and never during a request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from ...ask import Limits
from ...core import ModelError
from ...core.config import Device
from ...generate import (
    AnswerOptions,
    Background,
    BackgroundConfig,
    Candidate,
    Generator,
    GeneratorConfig,
    Task,
    load_background,
    load_generator,
)
from ...search import GeneratorRegistry
from ...search.answering.backgrounds import BackgroundRegistry
from .preloaded import PreloadedParts

_TEXT = "A kiwi is a bird that cannot fly."
WARM_UP = 1_000
"""Milliseconds of the warm-up of a background, whose documents may take long."""

FIRST_ANSWER = 30_000
"""Milliseconds of the warm-up of a generator, whose model may write without end."""

_TASK = Task("What is a kiwi?", [Candidate("1", _TEXT, 0, len(_TEXT))], AnswerOptions(max_tokens=8))


class ServedBackgrounds(PreloadedParts[BackgroundConfig, Background], BackgroundRegistry):
    """The backgrounds that requests may use. `load` loads them before their first use."""

    def __init__(self, configs: Mapping[str, BackgroundConfig], device: Device | None) -> None:
        super().__init__(configs, load=partial(load_background, device=device))

    def warm_up(self, part: Background) -> Exception | None:
        """Write about a question for a short time. See `PreloadedParts.warm_up`."""
        try:
            part.write(_TASK.question, Limits(milliseconds=WARM_UP))
        except ModelError as error:
            return error
        return None


class ServedGenerators(PreloadedParts[GeneratorConfig, Generator], GeneratorRegistry):
    """The generators that requests may use. `load` loads them before their first use."""

    backgrounds: ServedBackgrounds

    def __init__(
        self,
        configs: Mapping[str, GeneratorConfig],
        device: Device | None,
        backgrounds: Mapping[str, BackgroundConfig] | None = None,
    ) -> None:
        super().__init__(configs, load=partial(load_generator, device=device))
        self.backgrounds = ServedBackgrounds(backgrounds or {}, device)

    @classmethod
    def of(cls, path: Path | None, device: Device | None) -> ServedGenerators:
        """Return a registry with the generators of a TOML file, and with "extractive".

        path: TOML file. None: the registry has only "extractive".

        Raises SourceError, with file and field, for an invalid file.
        """
        if path is None:
            return cls({}, device)
        read = GeneratorRegistry.read(path)
        return cls(read.configs, device, read.backgrounds.configs)

    @property
    def every_config(self) -> Sequence[GeneratorConfig | BackgroundConfig]:
        """Return the configurations of all generators and backgrounds."""
        return [*self.configs.values(), *self.backgrounds.configs.values()]

    def load(self, stopping: Callable[[], bool]) -> None:
        """Load every generator and every background. See `PreloadedParts.load`."""
        super().load(stopping)
        self.backgrounds.load(stopping)

    def warm_up(self, part: Generator) -> Exception | None:
        """Answer a question within `FIRST_ANSWER`. See `PreloadedParts.warm_up`."""
        try:
            part.answer([_TASK], Limits(milliseconds=FIRST_ANSWER))
        except ModelError as error:
            return error
        return None
