"""The option of an entailment model for citations, and what such a model returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...core import Config
from ...core.bounds import Tokens
from ...core.config import Device
from ...core.kinds import named


@dataclass(frozen=True, slots=True)
class Entailment:
    """Whether a premise entails a statement.

    probability: probability of entailment, from 0 to 1.
    truncated:   True if the model did not read the premise or the statement to its end.
    """

    probability: float
    truncated: bool = False


Entails = Callable[[Sequence[tuple[str, str]]], Sequence[Entailment]]
"""Function from pairs of a premise and a statement to one Entailment for each pair."""


class EntailmentConfig(Config):
    """An entailment model: a cross-encoder that classifies a premise and a statement (NLI).

    model:      folder of the model, or its name on this machine.
    revision:   commit or tag of the model in the local cache of the hub; None = the cached one.
    label:      name of the model's label for entailment; None = its label "entailment".
    max_length: maximum number of tokens of a premise and a statement together; None = the limit of
                the model. The longer of the two is cut at its end, and the answer has a warning.
    device:     device of the model; "auto" is CUDA if available.
    """

    model: str
    revision: str | None = None
    label: str | None = None
    max_length: Tokens | None = None
    device: Device = "auto"


def load_entailment(config: EntailmentConfig | None) -> Entails | None:
    """Load the entailment model that `config` describes; return None if `config` is None.

    Raises ModelError if the model cannot be found or read, and ConfigError if it is not a
    classifier with a label for entailment.
    """
    if config is None:
        return None
    found: Entails = named(".entailment_model:EntailmentModel.load", EntailmentConfig)(config)
    return found
