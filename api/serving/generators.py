"""The generators of a server, and the backgrounds that they read.

They load when the server starts, and never during a request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from ...ask import Limits
from ...core.config import Device
from ...generate import (
    AnswerOptions,
    Background,
    BackgroundConfig,
    Candidate,
    Generator,
    GeneratorConfig,
    Task,
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

    def warm_up(self, part: Background) -> None:
        """Write about a question for a short time. See `PreloadedParts.warm_up`."""
        part.write(_TASK.question, Limits(milliseconds=WARM_UP))


class ServedGenerators(PreloadedParts[GeneratorConfig, Generator], GeneratorRegistry):
    """The generators that requests may use. `load` loads them before their first use."""

    backgrounds: ServedBackgrounds

    def __init__(
        self,
        configs: Mapping[str, GeneratorConfig],
        device: Device | None,
        files: Mapping[str, Path] | None = None,
    ) -> None:
        super().__init__(configs, device, files)
        self.backgrounds = ServedBackgrounds({}, device)

    @classmethod
    def of(cls, path: Path | None, device: Device | None) -> Self:
        """Return a registry with the generators and backgrounds of a TOML file.

        See `PreloadedParts.of`. The registry also has the generator "extractive".
        """
        found = super().of(path, device)
        found.backgrounds = ServedBackgrounds.of(path, device)
        return found

    def adopt(self, old: Self) -> None:
        """Take the loaded generators and backgrounds; see `PreloadedParts.adopt`."""
        super().adopt(old)
        self.backgrounds.adopt(old.backgrounds)

    def replace(self, other: Self) -> None:
        """Replace the generators and backgrounds; see `PreloadedParts.replace`."""
        super().replace(other)
        self.backgrounds.replace(other.backgrounds)

    def load(self, stopping: Callable[[], bool]) -> None:
        """Load every generator and every background. See `PreloadedParts.load`."""
        super().load(stopping)
        self.backgrounds.load(stopping)

    def warm_up(self, part: Generator) -> None:
        """Answer a question within `FIRST_ANSWER`. See `PreloadedParts.warm_up`."""
        for _ in part.stream(_TASK, Limits(milliseconds=FIRST_ANSWER)):
            pass
