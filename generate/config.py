"""Base class of generator configurations, and the registry of the kinds of generators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar, Self

from pydantic import Field

from ..core import Config, ConfigError
from ..core.config import Device, PartName
from ..core.kinds import Kinds, OneOf, named
from .abstention import AbstentionConfig
from .background.config import BACKGROUNDS, BackgroundConfig
from .citing.entailing import EntailmentConfig, Entails, load_entailment
from .protocol import Generator


class GeneratorConfig(Config):
    """Base of all generator configurations.

    made_by: class or function that creates the generator, as "module:name", or ".module:name"
             relative to the configuration's package. `make` imports the module.
    reads_background: False if the generator cannot read generated texts.
    """

    made_by: ClassVar[str]
    reads_background: ClassVar[bool] = True

    kind: str
    language: str = "en"
    """Language of questions and sources: an ISO 639-1 code, or "none". Selects the stemmer and the
    stopwords with which the support of citations is computed."""
    abstention: AbstentionConfig | None = None
    """Rule that returns "no_answer" if the sources probably do not contain the answer; None = every
    question is answered."""

    entailment: EntailmentConfig | None = None
    """Entailment model for citations: fields of `EntailmentConfig`. With it, a supported statement
    must also be entailed. None = only words are compared."""

    @property
    def has_names(self) -> bool:
        """True if a capital letter inside a sentence marks a name.

        False for German and Luxembourgish, in which all nouns have a capital letter.
        """
        return self.language not in ("de", "lb")

    def load(self) -> Generator:
        """Load the generator and its models. Raises the errors of `load_generator`."""
        return self.make()

    def make(self) -> Generator:
        """Create the generator with the class or function in `made_by`."""
        generator: Generator = named(self.made_by, type(self))(self)
        return generator

    def on(self, device: Device) -> Self:
        """Return a copy of the configuration that loads its models on `device`."""
        if self.entailment is None:
            return self
        moved = self.entailment.model_copy(update={"device": device})
        return self.model_copy(update={"entailment": moved})

    def entails(self) -> Entails | None:
        """Load the entailment model; return None if the configuration names none.

        Raises the errors of `load_entailment`. If the error is a ConfigError, its field starts with
        "entailment.".
        """
        try:
            return load_entailment(self.entailment)
        except ConfigError as error:
            raise ConfigError(
                error.message, field=f"entailment.{error.field or 'model'}"
            ) from error


GENERATORS = Kinds(GeneratorConfig, "generator", "twindex.generators")
"""The registry of the kinds of generators, such as "extractive": name -> configuration class."""

GeneratorLoader = Callable[[GeneratorConfig], Generator]
"""A function that loads a generator from its configuration, such as `load_generator`."""


class Generators(Config):
    """The content of a TOML file with tables `[generators.NAME]` and `[backgrounds.NAME]`.

    generators:  NAME -> configuration of the generator.
    backgrounds: NAME -> configuration of the background.
    """

    generators: dict[PartName, Annotated[GeneratorConfig, OneOf(GENERATORS)]] = Field(
        default_factory=dict
    )
    backgrounds: dict[PartName, Annotated[BackgroundConfig, OneOf(BACKGROUNDS)]] = Field(
        default_factory=dict
    )


def load_generator(config: GeneratorConfig, *, device: Device | None = None) -> Generator:
    """Load a generator and its models.

    config: configuration of any kind of generator.
    device: device of the models. None: the device that the configuration names.

    Uses the network only to call a server that the configuration names, or to download weights if
    the environment sets TWINDEX_ALLOW_DOWNLOAD=1.

    Raises ConfigError for an option that is not supported, and ModelError for a model that cannot
    be loaded.
    """
    return (config if device is None else config.on(device)).load()
