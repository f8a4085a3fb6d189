"""Base class of generator configurations, and the registry of the kinds of generators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar

from pydantic import Field

from ..core import Config
from ..core.config import Device, PartName
from ..core.errors import within
from ..core.kinds import Kinds, OneOf, PartConfig, load_part
from .abstention import AbstentionConfig
from .background.config import BACKGROUNDS, BackgroundConfig
from .citing.entailing import EntailmentConfig, Entails, load_entailment
from .protocol import Generator


class GeneratorConfig(PartConfig):
    """Base of all generator configurations. See `PartConfig`.

    reads_background: False if the generator cannot read generated texts.
    """

    reads_background: ClassVar[bool] = True

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

    def entails(self) -> Entails | None:
        """Load the entailment model; return None if the configuration names none.

        Raises the errors of `load_entailment`. If the error is a ConfigError, its field starts with
        "entailment.".
        """
        with within("entailment", missing="model"):
            return load_entailment(self.entailment)


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
    generator: Generator = load_part(config, device=device)
    return generator
