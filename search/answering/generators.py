"""The generators that an answer can name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Self

from ...generate import ExtractiveConfig, Generator, GeneratorConfig, GeneratorLoader, Generators
from ..registry import MadePart, PartRegistry
from .backgrounds import BackgroundRegistry

EXTRACTIVE = "extractive"
"""Name of the generator that every registry has. It needs no model."""


class _GeneratorObject(MadePart, GeneratorConfig):
    """Stands in for a configuration if the calling program passed a generator as an object."""


class GeneratorRegistry(PartRegistry[GeneratorConfig, Generator]):
    """The generators that an answer can name. Each is loaded at its first use. Thread-safe.

    Unless `configs` has the name "extractive", the registry adds a generator with this name. Its
    answers are sentences of the sources.

    configs: name -> a configuration, or a generator object of your own.
    load:    function that loads a generator from its configuration.
    backgrounds: the backgrounds that an answer can name, for generators that read them.
    """

    noun = "generator"
    field = "generator"
    method = "stream"
    file = Generators
    stand_in = _GeneratorObject
    always: ClassVar[Mapping[str, GeneratorConfig]] = {EXTRACTIVE: ExtractiveConfig()}

    def __init__(
        self,
        configs: Mapping[str, GeneratorConfig | Generator] | None = None,
        *,
        load: GeneratorLoader | None = None,
        backgrounds: BackgroundRegistry | None = None,
        files: Mapping[str, Path] | None = None,
    ) -> None:
        self.backgrounds = backgrounds or BackgroundRegistry()
        super().__init__(configs, load=load, files=files)

    @classmethod
    def read(cls, path: Path, *, load: GeneratorLoader | None = None) -> Self:
        """Return the registry of the generators in a TOML file with tables `[generators.NAME]`.

        The file may also have backgrounds, in tables `[backgrounds.NAME]`. Raises SourceError for
        an invalid file; the error names the file and the field.
        """
        found = super().read(path, load=load)
        found.backgrounds = BackgroundRegistry.read(path)
        return found

    @property
    def default(self) -> str:
        """The generator of a request that names none: the first configured one."""
        return self.names[0]
