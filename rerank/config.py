"""What the configuration of every reranker has, and the kinds of reranker that there are.

One vocabulary for Python, TOML and the command line: a reranker is described by its `kind` and the
options of that kind. Defaults are those of the papers that the modules of `twindex.rerank` name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from ..ask import LanguageModelConfig
from ..ask.loading import load_language_model
from ..core import Config, ConfigError
from ..core.bounds import Few
from ..core.config import Device
from ..core.kinds import Kinds, OneOf, named
from ..llm import GenerativeModel, LikelihoodModel
from .calibrated import Calibrated, CalibrationConfig
from .protocol import Reranker

RERANKER_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"

RerankerName = Annotated[str, Field(pattern=RERANKER_NAME)]


@dataclass(frozen=True, slots=True)
class Shorthand:
    """How a spec such as `--rerank pairwise:MODEL@20` names a kind, see `twindex.rerank.spec`.

    words:    each with the fields that it sets; None = the kind's name, with - for _.
    argument: path of the field that what follows the colon sets. A kind without it takes nothing.
    shown:    in place of what follows the colon, in help and errors.
    """

    words: Mapping[str, Mapping[str, Any]] | None = None
    argument: str = "model"
    shown: str = "MODEL"


class RerankerConfig(Config):
    """What the configuration of every reranker has.

    made_by:      its class, as "module:name"; ".module:name" is beside the configuration. It is
                  imported when a reranker is loaded.
    shorthand:    how a spec names it.
    scores_texts: it scores each text by itself, and reads nothing but texts.
    """

    made_by: ClassVar[str]
    shorthand: ClassVar[Shorthand] = Shorthand()
    scores_texts: ClassVar[bool] = False

    kind: str
    candidates: Few = 100
    """Hits that are judged when a request does not say how many."""
    text: Literal["passage", "document"] = "passage"
    """What is read of a hit: its title and its best passage, or the whole document."""
    calibration: CalibrationConfig | None = None
    """Of the scores; makes `min_score` of a request a probability."""

    def load(self) -> Reranker:
        """The reranker, with its models. Raises as `load_reranker`."""
        reranker = self.make()
        return reranker if self.calibration is None else Calibrated(reranker, self.calibration)

    def make(self) -> Reranker:
        """The reranker without its calibration."""
        reranker: Reranker = named(self.made_by, type(self))(self)
        return reranker

    def on(self, device: Device) -> Self:
        """The same reranker with its models on another device."""
        if "device" not in type(self).model_fields:
            return self
        return self.model_copy(update={"device": device})


class PromptingConfig(RerankerConfig):
    """What rerankers that prompt a language model have."""

    shorthand = Shorthand(argument="llm.model")

    llm: LanguageModelConfig = LanguageModelConfig()
    """The model: fields of `LanguageModelConfig`."""

    def language_model(self) -> LikelihoodModel | GenerativeModel:
        """Raises as `load_language_model`, with the path of the field."""
        try:
            return load_language_model(self.llm)
        except ConfigError as error:
            if error.field is None:
                raise
            raise ConfigError(error.message, field=f"llm.{error.field}") from error

    def on(self, device: Device) -> Self:
        return self.model_copy(update={"llm": self.llm.model_copy(update={"device": device})})


RERANKERS = Kinds(RerankerConfig, "reranker", "twindex.rerankers")
"""The kinds of rerankers."""

RerankerLoader = Callable[[RerankerConfig], Reranker]
"""How a reranker is got from its configuration: `load_reranker`, or what a test puts in place."""


class Rerankers(Config):
    """Rerankers by name, as a TOML file of them holds them: `[rerankers.NAME]`."""

    rerankers: dict[RerankerName, Annotated[RerankerConfig, OneOf(RERANKERS)]] = Field(
        default_factory=dict
    )


def load_reranker(config: RerankerConfig, *, device: Device | None = None) -> Reranker:
    """Load a reranker and its models.

    device: where models run, whatever the configuration says; None = what that says. Raises
    ConfigError for options that cannot be used and ModelError for a model that cannot be had. The
    network is used only for a server that the configuration names, and for weights if the
    environment has TWINDEX_ALLOW_DOWNLOAD=1.
    """
    return (config if device is None else config.on(device)).load()
