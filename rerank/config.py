"""Base classes of reranker configurations, and the registry of the kinds of rerankers.

Python, TOML and the command line describe a reranker by its `kind` and the options of that kind.
Defaults follow the papers that the modules of `twindex.rerank` cite.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from ..ask import LanguageModelConfig
from ..ask.loading import load_llm
from ..core import Config
from ..core.bounds import Few
from ..core.config import Device, PartName
from ..core.kinds import Kinds, OneOf, PartConfig, load_part
from ..llm import GenerativeModel, LikelihoodModel
from .calibrated import Calibrated, CalibrationConfig
from .protocol import Reranker


@dataclass(frozen=True, slots=True)
class Shorthand:
    """How a spec such as `--rerank pairwise:MODEL@20` on the command line names a reranker.

    See `twindex.rerank.spec`.

    words:    word before the colon -> configuration fields that the word sets. None: the only word
              is the kind's name, with - in place of _.
    argument: path of the configuration field that the text after the colon sets. If the kind has no
              such field, its specs have no colon.
    shown:    placeholder for the text after the colon in help and errors.
    """

    words: Mapping[str, Mapping[str, Any]] | None = None
    argument: str = "model"
    shown: str = "MODEL"


class RerankerConfig(PartConfig):
    """Base of all reranker configurations. See `PartConfig`.

    shorthand:    how a spec on the command line names this kind of reranker.
    scores_texts: True if the reranker scores each hit independently of the others, and reads only
                  texts (no stored scores or vectors).
    """

    shorthand: ClassVar[Shorthand] = Shorthand()
    scores_texts: ClassVar[bool] = False

    candidates: Few = 100
    """Number of hits to rerank if a request does not set `top_n`."""
    text: Literal["passage", "document"] = "passage"
    """Text that is read for each hit: title and best passage, or title and whole document."""
    calibration: CalibrationConfig | None = None
    """Converts scores to probabilities, so that `min_score` of a request is a probability; None =
    scores are not converted."""

    def load(self) -> Reranker:
        """Load the reranker and its models, with `calibration`."""
        reranker: Reranker = self.make()
        return reranker if self.calibration is None else Calibrated(reranker, self.calibration)


class PromptingConfig(RerankerConfig):
    """Base of the configurations of rerankers that prompt a language model."""

    shorthand = Shorthand(argument="llm.model")

    llm: LanguageModelConfig = LanguageModelConfig()
    """The language model: fields of `LanguageModelConfig`."""

    def language_model(self) -> LikelihoodModel | GenerativeModel:
        """Load the language model that `llm` describes.

        Raises the errors of `load_language_model`. If the error is a ConfigError, its field starts
        with "llm.".
        """
        return load_llm(self.llm)


RERANKERS = Kinds(RerankerConfig, "reranker", "twindex.rerankers")
"""The registry of the kinds of rerankers, such as "pairwise": name -> configuration class."""

RerankerLoader = Callable[[RerankerConfig], Reranker]
"""A function that loads a reranker from its configuration, such as `load_reranker`."""


class Rerankers(Config):
    """The content of a TOML file with tables `[rerankers.NAME]`.

    rerankers: NAME -> configuration of the reranker with this name.
    """

    rerankers: dict[PartName, Annotated[RerankerConfig, OneOf(RERANKERS)]] = Field(
        default_factory=dict
    )


def load_reranker(config: RerankerConfig, *, device: Device | None = None) -> Reranker:
    """Load a reranker and its models.

    device: device of the models. None: the device that the configuration names.

    Raises ConfigError for an option that is not supported, and ModelError for a model that cannot
    be loaded. Uses the network only to call a server that the configuration names, or to download
    weights if the environment sets TWINDEX_ALLOW_DOWNLOAD=1.
    """
    reranker: Reranker = load_part(config, device=device)
    return reranker
